"""Whether this worker was asked to end. Tasks under way then come to an end soon, and in order."""

import mmap
import time

# One byte that all processes of a worker share: they are forked from the one that is asked.
_asked = mmap.mmap(-1, 1)


def request(*args: object) -> None:
    """Ask all processes of this worker to end; also a handler of signals."""
    _asked[0] = 1


def is_requested() -> bool:
    return _asked[0] == 1


def out_of_time(until: float) -> bool:
    """Whether a task has to leave the rest to another: its time is up, or its worker ends."""
    return is_requested() or time.monotonic() >= until


def wait(seconds: float) -> None:
    """Sleep, but not on when this worker is asked to end."""
    until = time.monotonic() + seconds
    while not out_of_time(until):
        time.sleep(0.1)
