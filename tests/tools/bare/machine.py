"""A bare Debian with a systemd of its own, in namespaces: as small as debootstrap makes one."""

import os
import re
import secrets
import shutil
import subprocess
import time
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from tests.identity.processes import Process

OUTSIDE, INSIDE = "198.18.0.1", "198.18.0.2"  # addresses for tests of networks (RFC 2544)
NAMES_BY = "10.0.2.3"  # where slirp4netns answers for names
ENVIRONMENT = {
    "HOME": "/root",
    "LOGNAME": "root",
    "PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
    "TERM": "dumb",
}
_PIP = {"index-url", "extra-index-url", "proxy", "trusted-host", "timeout", "default-timeout"}


@dataclass
class Ended:
    """What came of a command."""

    code: int
    seconds: float
    output: str


class Machine:
    """Runs as long as it is entered, at `INSIDE`; who enters it is at `OUTSIDE`.

    The network namespace `internet`, an open file, leads it to Debian's and Python's packages, from
    where this machine has its own; it reaches nothing else of this machine.
    """

    def __init__(self, suite: str, root: Path, internet: int, umask: str = "022") -> None:
        """`umask` is that of whoever types."""
        self.suite, self.root, self._umask = suite, root, umask
        self._outer = ["nsenter", f"--net=/proc/{os.getpid()}/fd/{internet}"]

    def install(self) -> None:
        """Make its disk anew."""
        shutil.rmtree(self.root, ignore_errors=True)
        sources = apt_sources(self.suite)
        command = [*self._outer, "debootstrap", "--variant=minbase", "--include=systemd-sysv"]
        mirror = sources[0].split()[1]
        with (self.root.parent / f"{self.suite}.debootstrap").open("w") as log:
            run(*command, self.suite, self.root, mirror, stdout=log, stderr=log)
        self.write("/etc/apt/sources.list", "\n".join(sources) + "\n")
        self.write("/etc/apt/apt.conf.d/99network", apt_network())
        self.write("/etc/pip.conf", self._pip_configuration())
        self.write("/etc/resolv.conf", f"nameserver {NAMES_BY}\n")
        self.write("/etc/hostname", "bare\n")
        self.write("/etc/machine-id", "")

    def _pip_configuration(self) -> str:
        """What pip is told here of the network. Authorities for it come along as a file."""
        lines = ["[global]"]
        told = re.findall(
            r"^(?:global|:env:)\.([\w-]+)='(.*)'$", said_by("pip", "config", "list"), re.M
        )
        for name, value in told:
            if name == "cert":
                shutil.copy(value, self.root / "etc/pip-authorities.pem")
                lines.append(f"{name} = /etc/pip-authorities.pem")
            elif name in _PIP and not value.startswith("file:"):
                lines.append(f"{name} = {value}")
        return "\n".join(dict.fromkeys(lines)) + "\n"

    def __enter__(self) -> Self:
        with ExitStack() as stack:
            self._boot(stack)
            self._connect(stack)
            self._open_shell(stack)
            self._stack = stack.pop_all()
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    def _boot(self, stack: ExitStack) -> None:
        command = ["systemd-nspawn", "--boot", "--quiet", "--directory", str(self.root)]
        command += ["--register=no", "--keep-unit", "--resolv-conf=off", "--timezone=off"]
        command += ["--console=pipe", "--machine=bare", "--network-veth-extra=outside:inside"]
        self._nspawn = Process(command)
        stack.enter_context(self._nspawn)
        self._nspawn.wait_until(self._has_begun, 60)
        self._nspawn.wait_until(self._is_up)

    def _has_begun(self) -> bool:
        pid = self._nspawn.pid
        children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
        self._leader = children[0] if children else ""
        return bool(children) and Path(f"/proc/{self._leader}/comm").read_text() == "systemd\n"

    def _is_up(self) -> bool:
        self.state = self.said("systemctl is-system-running")
        return self.state in ("running", "degraded")

    def _connect(self, stack: ExitStack) -> None:
        inside = ["nsenter", f"--target={self._leader}", "--net"]
        run("ip", "address", "add", f"{OUTSIDE}/24", "dev", "outside")
        run("ip", "link", "set", "outside", "up")
        run(*inside, "ip", "address", "add", f"{INSIDE}/24", "dev", "inside")
        run(*inside, "ip", "link", "set", "inside", "up")
        command = ["slirp4netns", "--configure", "--mtu=65520", "--disable-host-loopback"]
        network = Process([*self._outer, *command, self._leader, "internet"])
        stack.enter_context(network)
        network.wait_until(lambda: "internet" in self.said("cat /proc/net/route"), 20)

    def _open_shell(self, stack: ExitStack) -> None:
        """One for all that is typed, as commands change folders and define functions."""
        self._typed = self.root.parent / f"{self.suite}.log"
        log = stack.enter_context(self._typed.open("w"))
        self._shell = subprocess.Popen(
            self.within("bash"), stdin=subprocess.PIPE, stdout=log, stderr=log, text=True
        )
        stack.callback(self._shell.terminate)
        self.type(f"umask {self._umask}")

    def within(self, *command: str) -> list[str]:
        """Return the command that runs this one there, as root who has just signed in."""
        entering = ["nsenter", f"--target={self._leader}", "--mount", "--uts", "--ipc", "--net"]
        entering += ["--pid", "--cgroup", "--root", "--"]
        variables = [f"{name}={value}" for name, value in ENVIRONMENT.items()]
        return [*entering, "env", "-i", "-C", "/root", *variables, *command]

    def type(self, text: str, meanwhile: Callable[[str], object] = lambda said: None) -> Ended:
        """Type this, and wait until it has ended; `meanwhile` is told what it has said so far."""
        mark, begun, start = secrets.token_hex(8), time.monotonic(), self._typed.stat().st_size
        print(
            f"{{ {text}\n}} </dev/null; printf '\\n{mark} %s\\n' $?",
            file=self._shell.stdin,
            flush=True,
        )
        while True:
            is_over = self._shell.poll() is not None
            said = self._typed.read_bytes()[start:].decode(errors="replace")
            seconds = time.monotonic() - begun
            if ended := re.search(rf"\n{mark} (\d+)\n", said):
                return Ended(int(ended[1]), seconds, said[: ended.start()].strip())
            if is_over:
                return Ended(self._shell.returncode, seconds, said.strip())
            meanwhile(said)
            time.sleep(0.1)

    def ask(self, text: str) -> Ended:
        """Run a command beside that shell."""
        begun = time.monotonic()
        ended = subprocess.run(
            self.within("bash", "-c", text),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=300,
        )
        return Ended(ended.returncode, time.monotonic() - begun, ended.stdout.strip())

    def said(self, text: str) -> str:
        return self.ask(text).output

    def path(self, path: str) -> Path:
        """Where a file of its disk is here."""
        return self.root / path.lstrip("/")

    def write(self, path: str, text: str, mode: int = 0o644) -> None:
        """Write a file on its disk; one that is there keeps its mode and its owner."""
        file = self.path(path)
        if not file.exists():
            file.parent.mkdir(parents=True, exist_ok=True)
            file.touch(mode)
            file.chmod(mode)
        file.write_text(text)


def apt_sources(suite: str) -> list[str]:
    """Return Debian's own sources as this machine has them, but for this suite, a line each."""
    here = said_by("sh", "-c", ". /etc/os-release && echo $VERSION_CODENAME")
    told = said_by("apt-get", "indextargets", "--format", "$(SITE) $(RELEASE) $(COMPONENT)")
    releases = here, f"{here}-updates", f"{here}-security"
    lines = {
        release: f"deb {site} {release.replace(here, suite)} main"
        for site, release, component in map(str.split, told.splitlines())
        if release in releases and component == "main"
    }
    if here not in lines:
        raise SystemExit("apt-get knows of no Debian here: run `apt-get update` first.")
    return [lines[release] for release in releases if release in lines]


def apt_network() -> str:
    """What apt is told here of proxies, authorities and dates."""
    lines = said_by("apt-config", "dump").splitlines()
    told = [line for line in lines if re.match(r'Acquire::(https?:|Check-).* "[^"]', line)]
    return "".join(f"{line}\n" for line in told)


def run(*command: str | Path, **options: object) -> None:
    subprocess.run(command, check=True, **options)


def said_by(*command: str) -> str:
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()
