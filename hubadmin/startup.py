"""What gunicorn and workers do before they begin: refuse to, or log what the checks say."""

import ctypes
import logging
import signal
import sys

from django.core.checks import CheckMessage, run_checks

logger = logging.getLogger(__name__)


def problems() -> list[str]:
    """Return why nothing may start, a sentence each; log what else the checks have to say."""
    messages = [each for each in run_checks(include_deployment_checks=True) if _counts(each)]
    found = serious(messages)
    if not found:
        for message in messages:
            logger.log(message.level, message.msg, extra={"check": message.id})
    return found


def serious(messages: list[CheckMessage]) -> list[str]:
    return [str(each.msg) for each in messages if each.is_serious() and _counts(each)]


def refusal(who: str, found: list[str]) -> str:
    return f"{who} does not start:\n" + "\n".join(f"- {problem}" for problem in found)


def _counts(message: CheckMessage) -> bool:
    return not message.is_silenced()


_PR_SET_PDEATHSIG = 1


def end_with_parent(number: int = signal.SIGKILL) -> None:
    """On Linux, have the kernel send this process the signal when its parent dies, however."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, number)
