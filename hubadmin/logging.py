"""One JSON line an event, with the id of the request it belongs to and never the token."""

import json
import logging
import os
import re
import select
import threading
import time
from collections.abc import Callable
from contextvars import ContextVar
from datetime import UTC, datetime
from multiprocessing import util
from queue import SimpleQueue

from django.conf import settings
from django.utils.module_loading import import_string
from django.views.debug import SafeExceptionReporterFilter

from hubadmin.web import measuring

REQUEST_ID: ContextVar[str] = ContextVar("request_id", default="")

# What a LogRecord has of itself; everything else on it was passed as `extra`.
_OWN = set(vars(logging.makeLogRecord({}))) | {"message", "asctime", "taskName", "request"}


class ReporterFilter(SafeExceptionReporterFilter):
    """What Django's own error pages (DEBUG) may not show; most secrets it knows by their names."""

    hidden_settings = re.compile(
        f"{SafeExceptionReporterFilter.hidden_settings.pattern}"
        "|PROXY_URL|ASSERTION|BROKER_URL|REDIS|RECEIVERS",
        re.I,
    )


class JSONFormatter(logging.Formatter):
    """`{"time", "level", "logger", "event", "request_id"?, …extra, "traceback"?}`."""

    def __init__(self) -> None:
        super().__init__()
        self.redact: Callable[[str, str], str] = import_string(settings.LOG_REDACTOR)

    def format(self, record: logging.LogRecord) -> str:
        event = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "logger": record.name,
            "event": record.getMessage(),
        }
        # Django logs some failures when the middleware is done, but names the request.
        about = getattr(record, "request", None)
        if request_id := REQUEST_ID.get() or getattr(about, "id", ""):
            event["request_id"] = request_id
        event |= {name: value for name, value in vars(record).items() if name not in _OWN}
        if record.exc_info:
            event["traceback"] = self.formatException(record.exc_info)
        # Plain ASCII: the line breaks that only some readers know are escaped as well.
        return self.redact(json.dumps(event, default=str), settings.HUBSPOT_ACCESS_TOKEN)


DROPPED = measuring.Counter(
    "hubadmin_log_lines_dropped", "Log lines that were dropped, as nobody read those before."
)
MOST_WAITING = 5_000  # lines, some MiB
FLUSH_SECONDS = 2.0  # that an end waits for what was not written yet


def unread() -> list[str]:
    """Say, for /readyz, that nobody reads this process's log: the log itself cannot."""
    handlers = logging.getLogger().handlers
    lost = sum(each.lost for each in handlers if isinstance(each, NonBlockingHandler))
    return [f"{lost} lines were dropped: nobody reads them"] if lost else []


class NonBlockingHandler(logging.Handler):
    """Have a thread write the lines, so that nobody waits for who reads them.

    A pipe that nobody drains would stop every thread that logs. Lines over the bound are dropped
    and counted, and once the others are written a line tells how many. They are made where they are
    logged, as the request's id is known there alone. After a fork the child begins anew.

    The library's QueueListener waits for its thread without an end, and in no child's.
    """

    def __init__(self, fd: int = 2, most_waiting: int = MOST_WAITING) -> None:
        super().__init__()
        self._fd, self._most_waiting = fd, most_waiting
        self._pid = 0

    def emit(self, record: logging.LogRecord) -> None:
        try:
            line = self.format(record)
        except Exception:
            self.handleError(record)
            return
        if self._pid != os.getpid():
            self._begin()
        if self._put - self._done >= self._most_waiting:
            self._dropped += 1
            DROPPED.add()
            return
        self._put += 1
        self._queue.put(line)

    @property
    def lost(self) -> int:
        """How many lines of this process were dropped of which no line could tell yet."""
        return self._dropped - self._told if self._pid == os.getpid() else 0

    def flush(self) -> None:
        """Wait for the thread, but not for ever."""
        deadline = time.monotonic() + FLUSH_SECONDS
        while self._pid == os.getpid() and self._done < self._put and time.monotonic() < deadline:
            time.sleep(0.005)

    def _begin(self) -> None:
        self._pid, self._queue = os.getpid(), SimpleQueue[str]()
        # Each is counted by one thread alone: the first two by whoever has this handler's lock.
        self._put = self._dropped = self._done = self._told = 0
        threading.Thread(target=self._write_all, name="log", daemon=True).start()
        util.Finalize(self, self.flush, exitpriority=0)  # processes of a pool end by this alone

    def _write_all(self) -> None:
        while True:
            self._write(self._queue.get())
            self._done += 1
            if self._dropped > self._told and self._queue.empty():
                self._tell(self._dropped - self._told)

    def _tell(self, count: int) -> None:
        self._told += count
        facts = {"name": __name__, "levelno": logging.ERROR, "levelname": "ERROR"}
        facts |= {"msg": "log lines were dropped: nobody read them", "lines": count}
        self._write(self.format(logging.makeLogRecord(facts)))

    def _write(self, line: str) -> None:
        data = line.encode() + b"\n"
        while data:
            try:
                data = data[os.write(self._fd, data) :]
            except BlockingIOError:
                select.select([], [self._fd], [])
            except OSError:  # nobody will ever read it
                return
