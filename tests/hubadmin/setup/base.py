"""`manage.py setup` as a process of its own: with all it is to know, or asked at a terminal."""

import os
import pty
import select
import subprocess
import sys
import tempfile
import time
import unittest
from pathlib import Path
from typing import Self
from urllib.parse import urlsplit

from django.conf import settings

from hubadmin.setup.files import SettingsFile

TOKEN, CLIENT_SECRET = "pat-canary-token", "canary-client-secret"
GIVEN = {
    "ALLOWED_HOSTS": "hub.example.org",
    "SSO_ISSUER": "https://id.example.com",
    "SSO_CLIENT_ID": "hubadmin",
    "SSO_SUPPORT_GROUPS": "support",
    "SSO_ADMIN_GROUPS": "admin",
    "HUBSPOT_ACCESS_TOKEN": TOKEN,
    "SSO_CLIENT_SECRET": CLIENT_SECRET,
}
SECRETS = ("SECRET_KEY", "AUDIT_SIGNING_KEY", "METRICS_TOKEN", "SSO_HEADER_SECRET")
# Makes the terminal at its standard input that of its session, as getpass asks there.
_AT_TERMINAL = (
    "import os, sys; os.close(os.open(os.ttyname(0), os.O_RDWR)); "
    "os.execv(sys.argv[1], sys.argv[1:])"
)
_SECONDS = 60


def environment(**variables: str) -> dict[str, str]:
    """Nothing of this machine's settings; HubSpot is nobody, unless it is said who."""
    own = {"PATH": os.environ["PATH"], "LANG": "C.UTF-8"}
    return own | {"HUBSPOT_API_BASE_URL": "http://127.0.0.1:9"} | variables


class SetupTestCase(unittest.TestCase):
    def setUp(self) -> None:
        self.begin()

    def begin(self) -> None:
        """In a folder with nothing in it."""
        self.folder = Path(self.enterContext(tempfile.TemporaryDirectory())).resolve()

    def manage(self, *arguments: str, **variables: str) -> subprocess.CompletedProcess:
        return subprocess.run(
            [sys.executable, settings.BASE_DIR / "manage.py", *arguments],
            env=environment(**variables),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=120,
        )

    def setup_site(self, *flags: str, fails: bool = False, **variables: str) -> str:
        """What it says, of which nothing may be secret."""
        ended = self.manage("setup", "--dir", str(self.folder), *flags, **variables)
        said = ended.stdout + ended.stderr
        self.assertEqual(ended.returncode, int(fails), said)
        self.assert_nothing_secret(said)
        return said

    def lines(self, name: str) -> dict[str, str]:
        return SettingsFile(self.folder / name).lines

    def secrets(self) -> set[str]:
        """All that were given or made so far."""
        found = {TOKEN, CLIENT_SECRET}
        for file in self.folder.glob("*.env"):
            lines = self.lines(file.name)
            found |= {lines[name] for name in SECRETS if name in lines}
            found.add(urlsplit(lines.get("DATABASE_URL", "")).password or TOKEN)
        return found

    def assert_nothing_secret(self, said: str) -> None:
        self.assertNotIn("Traceback", said)
        self.assertEqual([each for each in self.secrets() if each in said], [])


class Terminal:
    """The command with somebody at a terminal of its own."""

    def __init__(self, *arguments: str, **variables: str) -> None:
        self._command = [
            *(sys.executable, "-c", _AT_TERMINAL),
            *(sys.executable, str(settings.BASE_DIR / "manage.py"), "setup", *arguments),
        ]
        self._environment = environment(**variables)
        self.said = ""  # all of it, with the echo of what was typed
        self._read = 0

    def __enter__(self) -> Self:
        self._ours, theirs = pty.openpty()
        self._process = subprocess.Popen(
            self._command,
            env=self._environment,
            stdin=theirs,
            stdout=theirs,
            stderr=theirs,
            start_new_session=True,
        )
        os.close(theirs)
        return self

    def __exit__(self, *_: object) -> None:
        self._process.kill()
        self._process.wait()
        os.close(self._ours)

    @property
    def command_line(self) -> str:
        return Path(f"/proc/{self._process.pid}/cmdline").read_text()

    def answer(self, prompt: str, text: str) -> str:
        """Type a line once this stands there; returns what was said before."""
        until = time.monotonic() + _SECONDS
        while prompt not in self.said[self._read :]:
            if time.monotonic() > until or not self._more():
                raise AssertionError(f"{prompt!r} was not asked:\n{self.said}")
        before, self._read = self.said[self._read :], len(self.said)
        os.write(self._ours, f"{text}\n".encode() if text != "\x04" else b"\x04")
        return before

    def end(self) -> int:
        """Its exit code, once it has said everything."""
        while self._more():
            pass
        return self._process.wait(_SECONDS)

    def _more(self) -> bool:
        if not select.select([self._ours], [], [], _SECONDS)[0]:
            return False
        try:
            read = os.read(self._ours, 65536)
        except OSError:  # Linux: nobody has it open any more
            return False
        self.said += read.decode()
        return bool(read)
