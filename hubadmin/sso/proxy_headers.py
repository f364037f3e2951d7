"""SSO_MODE=header: a proxy of the company's signs people in and says who they are in headers.

Anybody who reaches this server could send such headers. They count only together with a secret
that the proxy adds and nobody else knows.
"""

from django.conf import settings
from django.http import HttpRequest
from django.utils.crypto import constant_time_compare

from hubadmin.models import User
from hubadmin.sso.common import RefusedError
from hubadmin.sso.told import Told
from hubadmin.sso.users import EMAIL_LENGTH, is_subject, provision, text

_NO_GROUPS = "the header of groups (SSO_GROUPS_HEADER) did not come, or is empty"


def identify(request: HttpRequest) -> User | None:
    """Return whom the proxy names; None if it names nobody. Raises RefusedError."""
    subject = _value(request, settings.SSO_SUBJECT_HEADER)
    if not subject:
        return None
    secret = _value(request, settings.SSO_SECRET_HEADER)
    if not settings.SSO_HEADER_SECRET or not constant_time_compare(
        secret, settings.SSO_HEADER_SECRET
    ):
        raise RefusedError("the proxy's shared secret is missing or wrong")
    email = _value(request, settings.SSO_EMAIL_HEADER)
    if not is_subject(subject) or _joined(subject) or _joined(email):
        raise RefusedError("a header came twice, or holds what no identity has")
    groups = _groups(request)
    return provision(
        request,
        issuer=settings.SSO_ISSUER,
        subject=subject,
        email=text(email, EMAIL_LENGTH),
        name=_name(request),
        groups=groups,
        tell=lambda: Told.of(groups, "" if groups else _NO_GROUPS),
    )


def _value(request: HttpRequest, header: str) -> str:
    """Return a header's text; WSGI hands its bytes over as Latin-1, proxies send UTF-8."""
    value = request.headers.get(header, "").strip()
    try:
        return value.encode("latin-1").decode()
    except (UnicodeEncodeError, UnicodeDecodeError):
        return value


def _joined(value: str) -> bool:
    """Whether this may be two headers of one name: servers join them by a comma."""
    return "," in value


def _name(request: HttpRequest) -> str:
    """Return the name, if it is surely the proxy's; the e-mail address stands in otherwise."""
    name = _value(request, settings.SSO_NAME_HEADER)
    return "" if _joined(name) else text(name)


def _groups(request: HttpRequest) -> list[str]:
    separator = settings.SSO_GROUPS_SEPARATOR
    groups = _value(request, settings.SSO_GROUPS_HEADER)
    if separator != "," and _joined(groups):
        raise RefusedError(
            "the header of groups came twice, or holds commas; "
            f"SSO_GROUPS_SEPARATOR is {separator!r}"
        )
    return [group.strip() for group in groups.split(separator) if group.strip()]
