"""The processes of a worker: django-q2's, made to end in order and to outlive what befalls them.

`run_worker` forks a sentinel, which forks those that fetch tasks, work, and note results.
"""

import logging
import multiprocessing
import os
import signal
from multiprocessing.process import BaseProcess
from typing import Any
from uuid import uuid4

from django.conf import settings
from django.db import connections
from django.dispatch import receiver
from django_q import cluster
from django_q.signals import post_execute_in_worker

from associations.hubspot.sanitizing import redact
from hubadmin.startup import end_with_parent

logger = logging.getLogger(__name__)

STOP_SECONDS = 45  # longer than the longest call to HubSpot


_parent = 0  # the process that forks


def _note_parent() -> None:
    global _parent
    _parent = os.getpid()


def _end_with_parent() -> None:
    end_with_parent(parent=_parent)


class Pool:
    """A sentinel and its processes; `keep_alive()` is called again and again."""

    def __init__(self) -> None:
        os.register_at_fork(before=_note_parent, after_in_child=_end_with_parent)
        self._start()

    def _start(self) -> None:
        connections.close_all()  # the child would share them
        context = cluster.get_mp_context()
        self._stop = context.Event()
        events = (self._stop, context.Event())
        self._sentinel = context.Process(target=_Sentinel, args=(*events, uuid4()))
        self._sentinel.start()

    def keep_alive(self) -> None:
        """Begin anew if the sentinel has died: tasks hold nothing that would be lost with them."""
        if not self._sentinel.is_alive():
            code = self._sentinel.exitcode
            logger.error("the worker's processes died and start anew", extra={"exit_code": code})
            self._start()

    def stop(self) -> None:
        """Let tasks under way end; kill what does not end by itself in time."""
        if self._sentinel.is_alive():
            self._stop.set()
            self._sentinel.join(STOP_SECONDS)
        if self._sentinel.is_alive():
            logger.error("the worker's processes did not end and were killed")
            self._sentinel.kill()
            self._sentinel.join()


class _Process(BaseProcess):
    """A process of django-q2's: its timer says how much longer its task may take."""

    timer: Any


class _Sentinel(cluster.Sentinel):
    def start(self) -> None:
        # Service managers may send it to every process; the first one asks the others to end.
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        super().start()

    def reincarnate(self, process: _Process) -> None:
        """Replace a process that died.

        One that was killed while it waited for its queue took the queue's lock along: everybody
        else would wait for ever, so all begin anew.
        """
        has_timed_out = process in self.pool and process.timer.value == 0
        if has_timed_out:
            process.kill()
        elif (process.exitcode or 0) < 0 and not self._is_at_work(process):
            for child in multiprocessing.active_children():
                child.kill()
            logging.shutdown()
            os._exit(1)
        super().reincarnate(process)

    def _is_at_work(self, process: _Process) -> bool:
        return process in self.pool and process.timer.value > 0


@receiver(post_execute_in_worker)
def _hide_token(*, task: dict[str, Any], **kwargs: object) -> None:
    """What a task failed of is kept in the database: without the token."""
    if isinstance(task.get("result"), str):
        task["result"] = redact(task["result"], settings.HUBSPOT_ACCESS_TOKEN)
