"""Reading and hashing on all cores: calls in other processes, each with a connection of its own.

No model is imported here: a new process looks for `_begin` before Django is set up.
"""

import os
import signal
from argparse import ArgumentParser, ArgumentTypeError
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ProcessPoolExecutor
from multiprocessing import get_context
from types import TracebackType
from typing import Any, Self, TypeVar

import django
from django.db import connection, connections

from hubadmin.startup import end_with_parent

J = TypeVar("J")
R = TypeVar("R")

ENDED = "A process that was reading was ended from outside; give fewer --processes."
ALONE = 10  # calls that this process makes itself: to start another takes longer than a few


def add_option(parser: ArgumentParser) -> None:
    """Let a command be told how many: `processes`, at least one."""
    parser.add_argument(
        "--processes",
        type=at_least_one,
        default=cores(),
        metavar="N",
        help="processes that read and hash where there is much of it (default: one a core)",
    )


def at_least_one(text: str) -> int:
    """Read an option of a command. Raises ArgumentTypeError."""
    if not (text.isascii() and text.isdigit() and int(text)):
        raise ArgumentTypeError(f"{text!r} is not a whole number from 1 on")
    return int(text)


def cores() -> int:
    """Return how many this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


class Processes:
    """So many processes, once there have been a few calls; one, or in a transaction: none."""

    def __init__(self, number: int) -> None:
        # Nobody else sees what a transaction has not committed.
        self.number = 1 if connection.in_atomic_block else number
        self._calls = 0
        self._pool: ProcessPoolExecutor | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if self._pool:
            self._pool.shutdown(cancel_futures=True)

    def submit(self, call: Callable[..., R], *arguments: Any) -> "Future[R]":
        """Have it called by whoever is free. Its result may raise BrokenProcessPool."""
        self._calls += 1
        if self.number == 1 or self._calls <= ALONE:
            done: Future[R] = Future()
            try:
                done.set_result(call(*arguments))
            except Exception as error:
                done.set_exception(error)
            return done
        if self._pool is None:
            self._pool = ProcessPoolExecutor(
                self.number,
                # Not forked: a connection must not be in two processes.
                mp_context=get_context("spawn"),
                initializer=_begin,
                initargs=(connection.settings_dict["NAME"], os.getpid()),
            )
        return self._pool.submit(call, *arguments)

    def each(self, call: Callable[[J], R], jobs: Iterable[J]) -> Iterator[tuple[J, R]]:
        """Give each job with its result, in order, a few ahead.

        Where the jobs end by an error, that comes after all that was begun before.
        """
        pending: deque[tuple[J, Future[R]]] = deque()
        failure: Exception | None = None
        rest = iter(jobs)
        while True:
            try:
                job = next(rest)
            except StopIteration:
                break
            except Exception as error:
                failure = error
                break
            pending.append((job, self.submit(call, job)))
            if len(pending) >= self._ahead():
                done, result = pending.popleft()
                yield done, result.result()
        for done, result in pending:
            yield done, result.result()
        if failure:
            raise failure

    def _ahead(self) -> int:
        return 1 if self._pool is None else 3 * self.number


def _begin(database: str, parent: int) -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # it is for the process that has started this one
    end_with_parent(parent=parent)  # killed, it tells nobody to end
    django.setup()
    connections["default"].settings_dict["NAME"] = database
