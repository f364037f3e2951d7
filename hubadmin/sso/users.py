"""The one function that every way of signing in ends in."""

import logging
from collections.abc import Callable, Iterable, Mapping
from typing import Any, TypeGuard

from django.conf import settings
from django.db import DatabaseError, transaction
from django.http import HttpRequest
from django.utils.module_loading import import_string

from hubadmin.models import Role, User
from hubadmin.sso.common import RefusedError
from hubadmin.sso.told import Told
from hubadmin.web.security_events import security_event

logger = logging.getLogger("hubadmin.sso")


def provision(
    request: HttpRequest | None = None,
    *,
    issuer: str,
    subject: str,
    email: str,
    name: str,
    groups: Iterable[str],
    tell: Callable[[], Told] | None = None,
) -> User:
    """Return the person (issuer, subject), with what their identity provider says of them today.

    The role comes from `groups`, as the settings map them; no known group is no role, and `tell`
    says more of why. Whether they are active is not the provider's to say: a person who was
    switched off here stays so.
    """
    groups = list(groups)
    today = {
        "email": email,
        "name": (name or email or subject)[:200],
        "role": role_of(groups),
    }
    user, created = User.objects.get_or_create(issuer=issuer, subject=subject, defaults=today)
    # Some modes come here with every request, so what stands already is not written again.
    before = {field: getattr(user, field) for field, value in today.items()}
    if before != today and not created:
        _change(request, user, before, today)
    if not user.role:
        user.told = tell() if tell else Told.of(groups)
    return user


def _change(
    request: HttpRequest | None, user: User, before: dict[str, str], today: dict[str, str]
) -> None:
    for field, value in today.items():
        setattr(user, field, value)
    try:
        with transaction.atomic():
            user.save(update_fields=[field for field in today if before[field] != today[field]])
            if user.role != before["role"]:
                facts = {"from": before["role"]}
                security_event.send(
                    None, what="role_changed", user=user, request=request, facts=facts
                )
    except DatabaseError:
        # What is less counts all the same: nobody keeps a role for a full disk. What is more does
        # not: nobody has one that the log does not show.
        user.role = min(user.role, before["role"], key=[*Role].index)
        logger.exception("what the provider says of a person could not be stored")


def role_of(groups: Iterable[str]) -> Role:
    """Return the highest role that any of these groups gives."""
    groups = set(groups)
    if groups.intersection(settings.SSO_ADMIN_GROUPS):
        return Role.ADMIN
    return Role.SUPPORT if groups.intersection(settings.SSO_SUPPORT_GROUPS) else Role.NONE


SUBJECT_LENGTH = 255
EMAIL_LENGTH = 254


def provision_from(claims: Mapping[str, Any], request: HttpRequest | None = None) -> User:
    """Return the person of these claims. Raises RefusedError without a subject to know them by."""
    subject = claims.get("sub")
    if not is_subject(subject):
        raise RefusedError("there is no usable subject (sub)")
    groups = groups_in(claims)
    name = settings.SSO_GROUPS_CLAIM
    return provision(
        request,
        issuer=settings.SSO_ISSUER,
        subject=subject,
        email=_address(claims),
        name=text(claims.get("name")) or text(claims.get("preferred_username")),
        groups=groups,
        tell=lambda: Told.by_claims(claims, name, claim(claims, name), groups),
    )


def _address(claims: Mapping[str, Any]) -> str:
    """Return the e-mail address, or what people use as one, as Entra ID tells it.

    It is only shown, and found by the command `people`; no role comes of it.
    """
    user_name = text(claims.get("preferred_username"), EMAIL_LENGTH)
    return text(claims.get("email"), EMAIL_LENGTH) or (user_name if "@" in user_name else "")


def is_subject(value: Any) -> TypeGuard[str]:
    """Whether somebody can be known by it: cutting or mending it might make it another's."""
    return isinstance(value, str) and 0 < len(value) <= SUBJECT_LENGTH and value.isprintable()


def text(value: Any, length: int = 200) -> str:
    """Return what of a value can be shown and stored: nothing that is not to be seen."""
    if not isinstance(value, str):
        return ""
    seen: str = import_string(settings.UNSEEN_REMOVER)(value)
    return seen.translate(dict.fromkeys(map(ord, "\t\r\n"))).strip()[:length]


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
