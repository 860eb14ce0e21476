"""Stages that overlap: each works in a thread of its own, a bounded number of items ahead of the next."""

import contextlib
import queue
import threading

END_OF_ITEMS = object()


@contextlib.contextmanager
def prefetch(items, depth):
    """An iterator over `items`, made in a thread, at most `depth` of them waiting.

    What iteration raises there is raised here. Leaving the block ends the thread; nothing is left running.
    """
    waiting, leaving = queue.Queue(depth), threading.Event()
    thread = threading.Thread(target=_produce_items, args=(items, waiting, leaving), daemon=True)
    thread.start()
    try:
        yield _consume_items(waiting)
    finally:
        leaving.set()
        thread.join()


def _produce_items(items, waiting, leaving):
    try:
        for item in items:
            if not _put_unless_stopped(waiting, (item, None), leaving):
                break
        _put_unless_stopped(waiting, (END_OF_ITEMS, None), leaving)
    except BaseException as error:  # noqa: B036  whatever it is, the one who waits must hear of it
        _put_unless_stopped(waiting, (END_OF_ITEMS, error), leaving)
    finally:
        if hasattr(items, "close"):
            items.close()


def _put_unless_stopped(waiting, entry, leaving):
    """Whether there was room before the block was left."""
    while not leaving.is_set():
        with contextlib.suppress(queue.Full):
            waiting.put(entry, timeout=0.1)
            return True
    return False


def _consume_items(waiting):
    while True:
        item, error = waiting.get()
        if error is not None:
            raise error
        if item is END_OF_ITEMS:
            return
        yield item
