"""Commands as real processes, on the database of the tests."""

import os
import subprocess
import sys
from typing import Any
from urllib.parse import quote

from django.conf import settings
from django.db import connection

MANAGE = settings.BASE_DIR / "manage.py"


def database_url(**changes: str) -> str:
    """The address of the tests' database, for somebody else or of another name."""
    told = {**connection.settings_dict, **changes}
    if connection.vendor == "sqlite":
        return f"sqlite:///{told['NAME']}"
    password = f":{quote(told['PASSWORD'])}" if told["PASSWORD"] else ""
    return f"postgres://{told['USER']}{password}@{told['HOST']}:{told['PORT']}/{told['NAME']}"


def environment(**variables: str) -> dict[str, str]:
    """What a server of one's own would have set, and nothing that this machine has."""
    names = ("PATH", "HOME", "LANG", "PYTHONPATH", "SYSTEMROOT", "TMPDIR", "LD_LIBRARY_PATH")
    own = {name: os.environ[name] for name in names if name in os.environ}
    own |= {"ENV_FILE": "", "SECRET_KEY": "tests-only", "DATABASE_URL": database_url()}
    return own | {"AUDIT_SIGNING_KEY": settings.AUDIT_SIGNING_KEY} | variables


def manage(*arguments: str, **options: Any) -> subprocess.CompletedProcess:
    """Run a command to its end."""
    return Process(*arguments, **options).finish()


class Process(subprocess.Popen):
    """A command that runs meanwhile."""

    def __init__(self, *arguments: str, **variables: str) -> None:
        super().__init__(
            [sys.executable, str(MANAGE), *arguments],
            env=environment(**variables),
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def finish(self, seconds: float = 240) -> subprocess.CompletedProcess:
        try:
            out, err = self.communicate(timeout=seconds)
        finally:
            self.kill()
        return subprocess.CompletedProcess(self.args, self.returncode, out, err)
