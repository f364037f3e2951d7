"""What gunicorn and workers do before they begin: refuse to, or log what the checks say."""

import ctypes
import logging
import os
import re
import signal
import sys
from contextlib import suppress
from pathlib import Path
from typing import NoReturn

from django.conf import settings
from django.core.checks import CheckMessage, run_checks
from django.template import Engine

from hubadmin import __version__

logger = logging.getLogger(__name__)


def commit_of(tree: Path) -> str:
    """Return the commit that a git checkout is at, by its files; empty where that is not known."""
    git = tree / ".git"
    try:
        head = (git / "HEAD").read_text().strip()
        commit = _commit_of_ref(git, head[5:]) if head.startswith("ref: ") else head
    except (OSError, UnicodeDecodeError):
        return ""
    return commit if re.fullmatch("[0-9a-f]{40}", commit) else ""


def _commit_of_ref(git: Path, name: str) -> str:
    if (git / name).is_file():
        return (git / name).read_text().strip()
    packed = (git / "packed-refs").read_text().splitlines()
    return next((line[:40] for line in packed if line[41:] == name), "")


# As it was when this process began: a `git pull` changes nothing of what runs.
COMMIT = commit_of(settings.BASE_DIR)
VERSION = {"version": __version__, "commit": COMMIT or None}


def problems(*, is_serving: bool = True) -> list[str]:
    """Return why nothing may start, a sentence each; log what else the checks have to say.

    What does not serve people needs no more than can be read.
    """
    messages = [each for each in run_checks(include_deployment_checks=is_serving) if _counts(each)]
    found = serious(messages)
    if not found:
        for message in messages:
            logger.log(message.level, message.msg, extra={"check": message.id})
    return found


def serious(messages: list[CheckMessage]) -> list[str]:
    return [str(each.msg) for each in messages if each.is_serious() and _counts(each)]


def refusal(who: str, found: list[str]) -> str:
    return f"{who} does not start:\n" + "\n".join(f"- {problem}" for problem in found)


def read_templates() -> None:
    """Have every template of ours in memory, for the processes that come of this one.

    So a `git pull` changes nothing of what runs, and nobody is the first to wait for a page.
    """
    engine = Engine.get_default()
    for folder in map(Path, engine.dirs):
        for file in folder.rglob("*.html"):
            engine.get_template(str(file.relative_to(folder)))


def is_read_by_a_person() -> bool:
    """Whether what this process says goes to a terminal, and to no collector of logs."""
    return settings.DEBUG or sys.stderr.isatty()


def end(why: str, code: int = 1) -> NoReturn:
    """End this process, and say why: in a line of the log, or as it is to a person."""
    if is_read_by_a_person():
        sys.exit(why)
    logger.critical(" ".join(why.replace("\n- ", " ").split()))
    sys.exit(code)


def _counts(message: CheckMessage) -> bool:
    return not message.is_silenced()


_M_MMAP_THRESHOLD, _M_ARENA_MAX = -3, -8  # malloc.h
_LARGE = 128 * 1024  # bytes


def give_memory_back() -> None:
    """With glibc, keep little of what threads have used and freed, here and in what is forked.

    It has up to eight heaps a core for them, and after a few large pieces takes no more of these
    from the system, but from the heaps: after an hour a third of a process was such holes.
    """
    with suppress(AttributeError):  # another C library
        libc = ctypes.CDLL(None)
        libc.mallopt(_M_ARENA_MAX, 2)  # one interpreter: threads take turns anyway
        libc.mallopt(_M_MMAP_THRESHOLD, _LARGE)


_PR_SET_PDEATHSIG = 1


def end_with_parent(number: int = signal.SIGKILL, *, parent: int = 0) -> None:
    """On Linux, have the kernel send this process the signal when its parent dies, however.

    Who that is, if it is known, tells whether it has died already.
    """
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, number)
        if parent and os.getppid() != parent:
            os.kill(os.getpid(), number)
