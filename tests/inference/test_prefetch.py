"""Stages overlap, in bounded memory, and end together."""

import threading
import time

import pytest

from tfanon.inference.prefetch import prefetch


def test_items_come_in_order_and_end():
    with prefetch(iter(range(100)), 3) as items:
        assert list(items) == list(range(100))


def test_no_more_than_depth_items_wait():
    produced = []

    def source():
        for number in range(100):
            produced.append(number)
            yield number

    with prefetch(source(), 4) as items:
        assert next(items) == 0
        time.sleep(0.3)
        assert len(produced) <= 1 + 4 + 1  # taken, waiting, held by the producer


def test_two_stages_overlap():
    meet = threading.Barrier(2, timeout=10)  # passed only while both are at work

    def early(items):
        for item in items:
            if item:
                meet.wait()
            yield item

    def late(items):
        for item in items:
            if item < 9:
                meet.wait()
            yield item

    with prefetch(early(iter(range(10))), 4) as first, prefetch(late(first), 4) as second:
        assert list(second) == list(range(10))


def test_error_arrives_after_the_items_before_it():
    def breaks():
        yield 1
        raise OSError("disk")

    with pytest.raises(OSError, match="disk"), prefetch(breaks(), 2) as items:
        assert next(items) == 1
        next(items)


@pytest.mark.parametrize("taken", [0, 1, 5])
def test_leaving_early_ends_the_threads_and_closes_the_source(taken):
    closed, threads_before = [], threading.active_count()

    def endless():
        try:
            while True:
                yield 0
        finally:
            closed.append(True)

    with prefetch(endless(), 2) as first, prefetch((item for item in first), 2) as second:
        for _ in range(taken):
            next(second)
    assert closed == [True] and threading.active_count() == threads_before
