"""What must be right about the project before it serves. gunicorn runs these as it starts."""

import re
import ssl
from collections.abc import Iterable
from typing import Any

from django.conf import settings
from django.core.checks import CheckMessage, Error, register
from django.core.exceptions import ImproperlyConfigured

from hubadmin.web import measuring
from hubadmin.web.http import VISIBLE_ASCII

SHORTEST_TOKEN = 16  # characters; what is shorter could be guessed


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
def ca_bundle(**kwargs: Any) -> Iterable[CheckMessage]:
    """Named here, and not at the first sign-in by a library's words."""
    try:
        if settings.CA_BUNDLE:
            ssl.create_default_context(cafile=settings.CA_BUNDLE)
    except OSError as error:
        yield Error(
            f"CA_BUNDLE is {settings.CA_BUNDLE!r}; it must be a file of certificates in PEM form: "
            f"{error.strerror or error}.",
            id="hubadmin.E040",
        )


@register(deploy=True)
def security_contact(**kwargs: Any) -> Iterable[CheckMessage]:
    for contact in settings.SECURITY_CONTACT:
        if not re.fullmatch(r"(mailto:[^\s@]+@|https://|tel:\+?)[^\s@]+", contact):
            yield Error(
                f"SECURITY_CONTACT names {contact!r}; it must be an address such as "
                "mailto:security@example.com or https://example.com/security.",
                id="hubadmin.E041",
            )


@register(deploy=True)
def hosts(**kwargs: Any) -> Iterable[CheckMessage]:
    if not settings.ALLOWED_HOSTS:
        yield Error("ALLOWED_HOSTS is not set: name the host people will use.", id="hubadmin.E005")


@register(deploy=True)
def metrics(**kwargs: Any) -> Iterable[CheckMessage]:
    if not (token := settings.METRICS_TOKEN):
        return
    if len(token) < SHORTEST_TOKEN or not VISIBLE_ASCII.issuperset(token):
        yield Error(
            f"METRICS_TOKEN must have {SHORTEST_TOKEN} letters, digits and signs or more.",
            hint='`python3 -c "import secrets; print(secrets.token_urlsafe(32))"` makes one.',
            id="hubadmin.E055",
        )
    if why := measuring.trouble():
        yield Error(f"METRICS_DIR is {settings.METRICS_DIR!r}: {why}.", id="hubadmin.E056")
