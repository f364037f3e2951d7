"""Servers as processes: their output kept, their start awaited, their end certain."""

import atexit
import os
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, Self


def free_port() -> int:
    """A port that nobody listens at, to be told to others before the server starts."""
    with socket.create_server(("127.0.0.1", 0)) as probe:
        return probe.getsockname()[1]


def listens(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


class Process:
    """Runs as long as it is entered, with its children in a process group of its own."""

    def __init__(self, command: Sequence[str], **options: Any) -> None:
        self._command, self._options = command, options
        self._text = ""

    def __enter__(self) -> Self:
        # A file and no pipe: nobody has to read for the process to go on. Opened twice, as reading
        # would otherwise move the place where the process writes.
        self._file = tempfile.NamedTemporaryFile(errors="replace", mode="r")
        with Path(self._file.name).open("ab") as appending:
            self._process = subprocess.Popen(
                self._command,
                stdin=subprocess.PIPE,
                stdout=appending,
                stderr=subprocess.STDOUT,
                start_new_session=True,
                **self._options,
            )
        atexit.register(self.stop)  # Ctrl-C leaves a test class without its clean-up
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    @property
    def pid(self) -> int:
        return self._process.pid

    def output(self) -> str:
        """All that it has said so far; still there when it has ended."""
        if not self._file.closed:
            self._file.seek(0)
            self._text = self._file.read()
        return self._text

    def output_with(self, text: str, times: int = 1, seconds: float = 60) -> str:
        """What it has said once this stands in it so often: log lines are written by a thread."""
        deadline = time.monotonic() + seconds
        while self.output().count(text) < times:
            if time.monotonic() > deadline:
                raise AssertionError(f"{text!r} is not {times} times in:\n{self._text}")
            time.sleep(0.05)
        return self._text

    def wait_until(self, ready: Callable[[], bool], seconds: float = 180) -> None:
        deadline = time.monotonic() + seconds
        while not ready():
            if self._process.poll() is not None or time.monotonic() > deadline:
                raise AssertionError(f"{self._command[0]} did not start:\n{self.output()}")
            time.sleep(0.05)

    def send_signal(self, number: int) -> None:
        self._process.send_signal(number)

    def kill(self) -> None:
        """End it and its children without a warning."""
        os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait()

    def stop(self, seconds: float = 40) -> int:
        """End it as an administrator would, and by force if it will not. Returns its code."""
        atexit.unregister(self.stop)
        if not self._file.closed:
            self._process.stdin.close()
            self._process.terminate()
            with suppress(subprocess.TimeoutExpired):
                self._process.wait(seconds)
            with suppress(ProcessLookupError):
                os.killpg(self._process.pid, signal.SIGKILL)
            self._process.wait()
            self.output()
            self._file.close()
        return self._process.returncode
