"""What a verified token says about a person."""

from collections.abc import Iterable, Mapping
from typing import Any

from django.conf import settings

from hubadmin.models import User
from hubadmin.sso.common import RefusedError
from hubadmin.sso.users import provision

SUBJECT_LENGTH = 255
EMAIL_LENGTH = 254


def provision_from(claims: Mapping[str, Any]) -> User:
    """Return the person of these claims. Raises RefusedError without a subject to know them by."""
    subject = claims.get("sub")
    if not is_subject(subject):
        raise RefusedError("there is no usable subject (sub)")
    return provision(
        issuer=settings.SSO_ISSUER,
        subject=subject,
        email=text(claims.get("email"), EMAIL_LENGTH),
        name=text(claims.get("name")) or text(claims.get("preferred_username")),
        groups=groups_in(claims),
    )


def is_subject(value: Any) -> bool:
    """Whether somebody can be known by it: cutting or mending it might make it another's."""
    return isinstance(value, str) and 0 < len(value) <= SUBJECT_LENGTH and value.isprintable()


def text(value: Any, length: int = 200) -> str:
    """Return what of a value can be shown and stored: nothing that is not to be seen."""
    if not isinstance(value, str):
        return ""
    return "".join(character for character in value if character.isprintable()).strip()[:length]


def groups_in(claims: Mapping[str, Any]) -> list[str]:
    """Return the groups: a text or a list of texts; none if the claim is missing or anything else.

    The claim's name may be a path, such as `realm_access.roles` or `custom.groups`.
    """
    if settings.SSO_GROUPS_CLAIM == "email" and not is_email_verified(claims):
        return []
    found = claim(claims, settings.SSO_GROUPS_CLAIM)
    if isinstance(found, str):
        return [found]
    return [group for group in found if isinstance(group, str)] if isinstance(found, list) else []


def is_email_verified(claims: Mapping[str, Any]) -> bool:
    """Whether the address is surely the person's.

    Cloudflare and Google vouch for it without saying so; an AWS load balancer does not.
    """
    vouched = settings.SSO_MODE == "assertion" and not settings.SSO_ALB_ARN
    return claims.get("email_verified", vouched) is True


def claim(claims: Mapping[str, Any], name: str) -> Any:
    """Return a claim by its name, or by its path where there is none of that name."""
    if name in claims:
        return claims[name]
    return _follow(claims, name.split("."))


def _follow(value: Any, steps: Iterable[str]) -> Any:
    for step in steps:
        value = value.get(step) if isinstance(value, Mapping) else None
    return value
