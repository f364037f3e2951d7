"""A thread beside what a process is there for, that watches and sends as long as it lives."""

import logging
import os
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from datetime import timedelta

from django.db import Error as DBError
from django.db import connection
from django.utils import timezone

from associations.models import Sealer
from associations.notices.sending import Sender
from associations.notices.watch import watch

logger = logging.getLogger(__name__)

TICK_SECONDS = 5.0
SEND_SECONDS = 30.0  # that `tell_once` waits for what it has sent
END_SECONDS = 2.0
# Held by a pass, so that no process is forked in its midst, with its locks and its connection.
_pass = threading.Lock()
os.register_at_fork(
    before=_pass.acquire, after_in_parent=_pass.release, after_in_child=_pass.release
)


@contextmanager
def telling(sign_of_life: Callable[[], object] = lambda: None) -> Iterator[None]:
    """Meanwhile have a thread tell people of events. Whatever fails in it harms nothing else."""
    end = threading.Event()
    thread = threading.Thread(target=_go_on, args=(end, sign_of_life), daemon=True, name="telling")
    thread.start()
    try:
        yield
    finally:
        end.set()
        thread.join(END_SECONDS)


@contextmanager
def telling_as_sealer() -> Iterator[None]:
    """The same for what seals, with signs of life; it ends in order unless it is killed."""
    name = f"{socket.gethostname()} {os.getpid()}"
    try:
        with telling(lambda: _note_alive(name)):
            yield
    finally:
        with suppress(DBError):
            Sealer.objects.filter(name=name).delete()


def tell_once() -> None:
    """Watch and send, for a timer: wait for what was sent, but not for ever."""
    watch()
    sender, deadline = Sender(), time.monotonic() + SEND_SECONDS
    sender.tick()
    while sender.is_busy and time.monotonic() < deadline:
        time.sleep(0.05)
        sender.tick()


def _note_alive(name: str) -> None:
    now = timezone.now()
    Sealer.objects.update_or_create(name=name, defaults={"seen_at": now})
    # Only here: of whoever has fallen silent, nobody but a living one may take the row away.
    Sealer.objects.filter(seen_at__lt=now - timedelta(days=1)).delete()


def _go_on(end: threading.Event, sign_of_life: Callable[[], object]) -> None:
    sender = Sender()
    failing = set[str]()
    while not end.is_set():
        with _pass:
            for work in (sign_of_life, watch, sender.tick):
                _do(work, failing)
        end.wait(TICK_SECONDS)
    connection.close()


def _do(work: Callable[[], object], failing: set[str]) -> None:
    """Log that it fails, or is well again; not each time again."""
    name = work.__name__
    try:
        work()
    except Exception:
        if name not in failing:
            logger.exception("notices cannot be told", extra={"part": name})
        failing.add(name)
        connection.close()
    else:
        if name in failing:
            logger.info("notices are told again", extra={"part": name})
        failing.discard(name)
