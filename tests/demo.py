"""A running demo and people who use it: real processes, real HTTP."""

import os
import re
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import requests
from django.conf import settings

MANAGE = settings.BASE_DIR / "manage.py"
# To end in: a request under way may take the server's graceful time, which is 45; on a busy machine
# the rest takes its time as well.
SECONDS = 120
# A database of the newest migration with nothing in it, where the tests' runner has made one.
migrated: Path | None = None


def ready(folder: Path) -> Path:
    """A folder for a demo that is no test of how it begins: it has its tables already."""
    folder.mkdir()
    if migrated:
        shutil.copy(migrated, folder / "hubadmin.sqlite3")
    return folder


class Demo:
    """`manage.py demo` in a folder of its own."""

    def __init__(self, folder: Path, *options: str, **environment: str) -> None:
        self.folder = folder
        self.process = subprocess.Popen(
            [sys.executable, MANAGE, "demo", "--port", "0", *options],
            env=os.environ | {"DEMO_DIR": str(folder), **environment},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )
        text = ""
        while "Ctrl-C" not in text:
            line = self.process.stdout.readline()
            if not line:
                raise AssertionError(f"the demo did not start: {text}")
            text += line
        self.announcement = text
        self.address, self.hubspot = re.findall(r"^(?:hubadmin|HubSpot) +(\S+)$", text, re.M)
        self.address = self.address.rstrip("/")

    def __enter__(self) -> "Demo":
        return self

    def __exit__(self, *error: object) -> None:
        self.stop(signal.SIGTERM)

    def stop(self, number: int) -> int:
        if self.process.poll() is None:
            self.process.send_signal(number)
        code = self.process.wait(SECONDS)
        self.process.stdout.close()
        return code

    def processes(self) -> list[int]:
        """Every process that was started with this demo's folder in its environment."""
        return [int(p.parent.name) for p in Path("/proc").glob("[0-9]*/environ") if self._ours(p)]

    def _ours(self, environ: Path) -> bool:
        try:
            return f"DEMO_PARENT={self.process.pid}\0".encode() in environ.read_bytes()
        except OSError:
            return False

    def wait_until_gone(self, seconds: float = SECONDS) -> list[int]:
        deadline = time.monotonic() + seconds
        while self.processes() and time.monotonic() < deadline:
            time.sleep(0.05)
        return self.processes()


class Person:
    """Somebody with a browser, as far as HTTP goes."""

    def __init__(self, demo: Demo, name: str) -> None:
        self.demo, self.session = demo, requests.Session()
        self.session.trust_env = False
        self.post("/demo/sign-in", person=name)

    def get(self, path: str) -> requests.Response:
        return self.session.get(self.demo.address + path, timeout=120)

    def post(self, path: str, *, page: str = "", **fields: str) -> requests.Response:
        """Send the form that stands on `page`, or at its own address."""
        text = self.get(page or path).text
        hidden = dict(re.findall(r'type="hidden" name="(\w+)" value="([^"]*)"', text))
        headers = {"Referer": self.demo.address + path}
        address = self.demo.address + path
        return self.session.post(address, data=hidden | fields, headers=headers, timeout=120)
