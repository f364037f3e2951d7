"""What must be right about the project before it serves. gunicorn runs these as it starts."""

from collections.abc import Iterable
from typing import Any

from django.conf import settings
from django.core.checks import CheckMessage, Error, register
from django.core.exceptions import ImproperlyConfigured


@register
def readable(**kwargs: Any) -> Iterable[CheckMessage]:
    """Before every command: without DATABASE_URL's file, say, `migrate` would take another."""
    for problem in settings.PROBLEMS:
        yield Error(problem, id="hubadmin.E010")


@register(deploy=True)
def secret_key(**kwargs: Any) -> Iterable[CheckMessage]:
    try:
        settings.SECRET_KEY  # noqa: B018 - Django raises when it is empty
    except ImproperlyConfigured:
        yield Error("SECRET_KEY is not set; README says how to make one.", id="hubadmin.E002")


@register(deploy=True)
def hosts(**kwargs: Any) -> Iterable[CheckMessage]:
    if not settings.ALLOWED_HOSTS:
        yield Error("ALLOWED_HOSTS is not set: name the host people will use.", id="hubadmin.E005")
