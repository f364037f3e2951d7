"""What gunicorn and workers do before they begin: refuse to, or log what the checks say."""

import logging

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
