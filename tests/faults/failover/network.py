"""Machines on one network, each of which can be unplugged, killed, or lose its power.

Each has a network namespace of Linux, without a name, so that nothing stays behind. Whoever may not
make one gets addresses of this machine instead (127.0.1.x), of which none can be unplugged.
"""

import ctypes
import os
import re
import shutil
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Self

from tests.identity.processes import Process

_LIBC = ctypes.CDLL(None, use_errno=True)
_CLONE_NEWNET = 0x40000000
_IP = shutil.which("ip", path=f"{os.environ.get('PATH', '')}:/usr/sbin") or "ip"
_OWN = "/proc/thread-self/ns/net"


def _call(name: str, *arguments: int) -> None:
    """Raises OSError."""
    if getattr(_LIBC, name)(*arguments):
        raise OSError(ctypes.get_errno(), f"{name}: {os.strerror(ctypes.get_errno())}")


def ip(*arguments: str) -> None:
    subprocess.run([_IP, *arguments], check=True, capture_output=True)


class Namespace:
    """A network of its own, as long as it is open and somebody is in it."""

    def __init__(self) -> None:
        """Raises OSError if this may not be done here, or there is no `ip`."""
        before = os.open(_OWN, os.O_RDONLY)
        try:
            _call("unshare", _CLONE_NEWNET)
            self._file = os.open(_OWN, os.O_RDONLY)
            ip("link", "set", "lo", "up")
        finally:
            _call("setns", before, _CLONE_NEWNET)
            os.close(before)

    @property
    def path(self) -> str:
        return f"/proc/{os.getpid()}/fd/{self._file}"

    @contextmanager
    def entered(self) -> Iterator[None]:
        """This thread is there, and so are the threads and processes that it starts."""
        before = os.open(_OWN, os.O_RDONLY)
        _call("setns", self._file, _CLONE_NEWNET)
        try:
            yield
        finally:
            _call("setns", before, _CLONE_NEWNET)
            os.close(before)

    def close(self) -> None:
        os.close(self._file)


class Network:
    """A bridge, and who runs the campaign at it; use it by `with`, in one thread."""

    def __init__(self) -> None:
        self._stack = ExitStack()
        self.why_not = ""  # why nothing can be unplugged
        self._count = 0

    def __enter__(self) -> Self:
        try:
            namespace = Namespace()
            self._stack.callback(namespace.close)
            self._stack.enter_context(namespace.entered())
            self.path = namespace.path
            ip("link", "add", "bridge", "type", "bridge")
            ip("address", "add", "10.77.0.254/24", "dev", "bridge")
            ip("link", "set", "bridge", "up")
        except (OSError, subprocess.CalledProcessError) as error:
            self._stack.close()
            self.why_not = f"no network namespaces: {error}"
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    @property
    def unplugs(self) -> bool:
        return not self.why_not

    def machine(self, name: str, folder: Path) -> "Machine":
        self._count += 1
        return Machine(self, name, self._count, folder)


class Machine:
    """Some processes with an address and a folder. What has failed comes back by `boot()`."""

    def __init__(self, network: Network, name: str, number: int, folder: Path) -> None:
        self.name, self._network, self._cable = name, network, f"cable{number}"
        self.address = f"{'10.77.0' if network.unplugs else '127.0.1'}.{number}"
        self.folder = folder / name
        self.folder.mkdir()
        self.processes: list[Process] = []
        self.boot()

    def boot(self) -> None:
        """Have a network (again)."""
        if not self._network.unplugs:
            return
        self._namespace = Namespace()
        with self._namespace.entered():
            ip("link", "add", "eth0", "type", "veth", "peer", "name", self._cable)
            ip("link", "set", self._cable, "netns", self._network.path)
            ip("address", "add", f"{self.address}/24", "dev", "eth0")
            ip("link", "set", "eth0", "up")
        ip("link", "set", self._cable, "master", "bridge", "up")

    @contextmanager
    def entered(self) -> Iterator[None]:
        """What this thread starts meanwhile is on this machine."""
        if not self._network.unplugs:
            yield
            return
        with self._namespace.entered():
            yield

    def run(self, command: Sequence[str], **options: object) -> Process:
        with self.entered():
            self.processes.append(Process(command, **options).__enter__())
        return self.processes[-1]

    def sent(self) -> int:
        """How many bytes it has sent to others so far; 0 where nobody counts them."""
        with self.entered():
            counted = Path("/proc/thread-self/net/dev").read_text()
        found = re.search(r"eth0:(?:\s*\d+){8}\s+(\d+)", counted)
        return int(found[1]) if found and self._network.unplugs else 0

    def unplug(self) -> None:
        ip("link", "set", self._cable, "down")

    def plug_in(self) -> None:
        ip("link", "set", self._cable, "up")

    def kill(self) -> None:
        """kill -9 of all its processes: its kernel still tells the others."""
        for each in self.processes:
            each.kill()
        self.processes.clear()

    def cut_power(self) -> None:
        """The same, and nobody is told anything any more."""
        if self._network.unplugs:
            ip("link", "delete", self._cable)
        self.kill()

    def stop(self) -> None:
        for each in self.processes:
            each.stop(10)
        self.processes.clear()
