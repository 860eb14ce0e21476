"""Overlapping stages: each runs in its own thread, a bounded number of items ahead of the next."""

import contextlib
import queue
import threading
from collections.abc import Iterable, Iterator
from typing import Any

END_OF_ITEMS = object()
POLL_SECONDS = 0.1  # how long a full queue can delay the end of a thread


@contextlib.contextmanager
def prefetch(items: Iterable[Any], depth: int) -> Iterator[Iterator[Any]]:
    """Iterate over items that a thread produces in advance.

    Leaving the block ends the thread and closes `items`, wherever the iteration stands.

    Args:
        items: What is iterated over, in the thread.
        depth: Number of items that may wait.

    Yields:
        An iterator over the items. It raises what the iteration in the thread raised, after the
        items before it.
    """
    waiting: queue.Queue[tuple[Any, BaseException | None]] = queue.Queue(depth)
    leaving = threading.Event()
    thread = threading.Thread(target=_produce_items, args=(items, waiting, leaving), daemon=True)
    thread.start()
    try:
        yield _consume_items(waiting)
    finally:
        leaving.set()
        thread.join()


def _produce_items(items: Iterable[Any], waiting: queue.Queue, leaving: threading.Event) -> None:
    """Put items, then the end or the error that ended them, into the queue."""
    try:
        for item in items:
            if not _put_unless_stopped(waiting, (item, None), leaving):
                break
        _put_unless_stopped(waiting, (END_OF_ITEMS, None), leaving)
    except BaseException as error:  # of any type, or the consumer would wait forever
        _put_unless_stopped(waiting, (END_OF_ITEMS, error), leaving)
    finally:
        if hasattr(items, "close"):  # a generator
            items.close()


def _put_unless_stopped(waiting: queue.Queue, entry: tuple, leaving: threading.Event) -> bool:
    """Return whether an entry found room in the queue before the block was left."""
    while not leaving.is_set():
        with contextlib.suppress(queue.Full):
            waiting.put(entry, timeout=POLL_SECONDS)
            return True
    return False


def _consume_items(waiting: queue.Queue) -> Iterator[Any]:
    while True:
        item, error = waiting.get()
        if error is not None:
            raise error
        if item is END_OF_ITEMS:
            return
        yield item
