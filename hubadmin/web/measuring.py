"""What this process counts for /metrics; without METRICS_TOKEN nothing is, and nothing is read.

The processes of a machine share a folder, METRICS_DIR, in which each counts in files of its own
(prometheus_client's multiprocess mode). The files have numbers: a process takes the lowest that no
living one has, and goes on counting where the one before it has ended. So a counter never falls,
there are no more files than there have been processes at a time, and nobody need be told which
have died: the system gives their locks back. Only counters and histograms are kept so; what is now
so and now otherwise, the database knows (associations/metrics/).
"""

import errno
import fcntl
import logging
import os
from collections.abc import Callable, Iterable
from pathlib import Path
from threading import Lock
from typing import IO, Any, ClassVar

from django.conf import settings
from django.core.signals import setting_changed
from django.dispatch import receiver

logger = logging.getLogger(__name__)

Labels = tuple[str, ...]

# As much as all label values together take, and more. It is taken at once: a file that grew on a
# full disk would end the process that writes to it (SIGBUS).
FILE_BYTES = 1024 * 1024
MOST_PROCESSES = 500
BUCKETS = (0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0)  # seconds


def folder() -> Path:
    """Return METRICS_DIR, made if need be. Raises OSError, also if others may read it."""
    path = Path(settings.METRICS_DIR)
    path.mkdir(mode=0o700, parents=True, exist_ok=True)
    state = path.stat()
    if state.st_uid != os.geteuid() or state.st_mode & 0o077:
        raise PermissionError(errno.EPERM, "it is not for this account alone (chmod 700)", path)
    return path


def trouble() -> str:
    """Return why the folder could not be used; it is not made, as a check may be root's."""
    path = Path(settings.METRICS_DIR)
    if path.is_dir():
        try:
            folder()
        except OSError as error:
            return str(error.strerror)
    there = next(each for each in (path, *path.absolute().parents) if each.exists())
    if there.is_dir() and os.access(there, os.W_OK | os.X_OK):
        return ""
    return f"this account may make nothing in {there}"


class Instrument:
    """Something that is counted, by labels of which there are few; `name` without its suffix.

    `zeros` returns the labels that /metrics shows before they are counted first, as an increase
    from nothing is none to Prometheus.
    """

    kind: ClassVar[str]
    known: ClassVar[dict[str, "Instrument"]] = {}

    def __init__(
        self,
        name: str,
        text: str,
        labels: Labels = (),
        zeros: Callable[[], Iterable[Labels]] = lambda: (),
    ) -> None:
        self.name, self.text, self.labels, self.zeros = name, text, labels, zeros
        self.known[name] = self

    def _child(self, values: Labels) -> Any:
        """What prometheus_client has for these label values; None while nothing is measured."""
        if not settings.METRICS_TOKEN:
            return None
        process = _process or _begin()
        try:
            return process.child(self, values)
        except (OSError, ValueError) as error:
            process.give_up(error)
            return None


class Counter(Instrument):
    kind = "counter"

    def add(self, *values: str, by: float = 1) -> None:
        if child := self._child(values):
            child.inc(by)


class Histogram(Instrument):
    kind = "histogram"

    def observe(self, seconds: float, *values: str) -> None:
        if child := self._child(values):
            child.observe(seconds)


class _Process:
    """The files of this process, and what it counts in them; nothing once that has failed."""

    def __init__(self) -> None:
        self._metrics: dict[str, Any] = {}
        self._lock: IO[bytes] | None = None
        self._has_failed = False

    def child(self, instrument: Instrument, values: Labels) -> Any:
        if self._has_failed:
            return None
        metric = self._metrics.get(instrument.name) or self._made(instrument)
        return metric.labels(*values) if values else metric

    def give_up(self, error: Exception) -> None:
        """Measuring keeps nobody from their work."""
        if not self._has_failed:
            self._has_failed = True
            logger.error("nothing is counted for /metrics", extra={"why": str(error)})

    def close(self) -> None:
        if self._lock:
            from prometheus_client import values

            values.close_all_multiprocess_files()
            self._lock.close()

    def _made(self, instrument: Instrument) -> Any:
        with _making:
            if self._lock is None:
                self._take_files(folder())
            if instrument.name not in self._metrics:
                self._metrics[instrument.name] = _metric(instrument)
            return self._metrics[instrument.name]

    def _take_files(self, path: Path) -> None:
        os.environ["PROMETHEUS_MULTIPROC_DIR"] = str(path)
        from prometheus_client import values  # it takes a while, and most do without

        number, self._lock = _take_number(path)
        values.ValueClass = values.MultiProcessValue(lambda: number)


def _metric(instrument: Instrument) -> Any:
    import prometheus_client

    of_it = (instrument.name, instrument.text, instrument.labels)
    if instrument.kind == Counter.kind:
        return prometheus_client.Counter(*of_it, registry=None)
    return prometheus_client.Histogram(*of_it, registry=None, buckets=BUCKETS)


def _take_number(path: Path) -> tuple[int, IO[bytes]]:
    """Return the lowest number that no living process has, and the lock that keeps it.

    The lock is the process's own: a child that is forked does not have it.
    """
    for number in range(MOST_PROCESSES):
        lock = (path / f"{number}.lock").open("ab")
        try:
            fcntl.lockf(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            lock.close()
            continue
        for kind in (Counter.kind, Histogram.kind):
            _fill(path / f"{kind}_{number}.db")
        return number, lock
    raise OSError(errno.EAGAIN, "too many processes count there")


def _fill(path: Path) -> None:
    with path.open("ab") as file:
        file.write(bytes(max(0, FILE_BYTES - file.tell())))


_process: _Process | None = None
_making = Lock()


def _begin() -> _Process:
    global _process
    with _making:
        _process = _process or _Process()
        return _process


def _forget() -> None:
    """A forked child has files of its own, and begins with what stands in these."""
    global _process, _making
    _making = Lock()
    if _process:
        _process.close()
        _process = None


os.register_at_fork(after_in_child=_forget)


@receiver(setting_changed)
def _forget_settings(*, setting: str, **kwargs: object) -> None:
    if setting.startswith("METRICS_"):
        _forget()
