"""Releases of before, out of git's history."""

import io
import re
import subprocess
import tarfile
from pathlib import Path
from typing import NamedTuple

from django.conf import settings

VERSION = "hubadmin/__init__.py"


class Release(NamedTuple):
    """A version, and the last commit that had it."""

    version: str
    commit: str


def releases() -> list[Release]:
    """Those before this one, newest first; none where there is no history, or not enough of it."""
    try:
        changes = _git("log", "--format=%H", "--", VERSION).decode().split()
        found = [Release(_version(f"{each}^"), f"{each}^") for each in changes[:-1]]
    except (OSError, subprocess.CalledProcessError):
        return []
    return [each for each in found if each.version != _version("HEAD")]


def check_out(commit: str, folder: Path) -> Path:
    """Put the files of a commit into a folder that is there. Raises CalledProcessError."""
    with tarfile.open(fileobj=io.BytesIO(_git("archive", commit))) as archive:
        archive.extractall(folder, filter="data")
    return folder


def _version(commit: str) -> str:
    return re.search(r'__version__ = "(.+)"', _git("show", f"{commit}:{VERSION}").decode())[1]


def _git(*arguments: str) -> bytes:
    command = ["git", "-C", str(settings.BASE_DIR), *arguments]
    return subprocess.run(command, check=True, capture_output=True).stdout
