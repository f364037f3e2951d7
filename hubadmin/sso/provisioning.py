"""The one function that every way of signing in ends in."""

from collections.abc import Iterable

from django.conf import settings

from hubadmin.models import Role, User


def provision(*, issuer: str, subject: str, email: str, name: str, groups: Iterable[str]) -> User:
    """Return the person (issuer, subject), with what their identity provider says of them today.

    The role comes from `groups`, as the settings map them; no known group is no role.
    """
    user, _ = User.objects.update_or_create(
        issuer=issuer,
        subject=subject,
        defaults={
            "email": email,
            "name": (name or email or subject)[:200],
            "role": role_of(groups),
        },
    )
    return user


def role_of(groups: Iterable[str]) -> Role:
    """Return the highest role that any of these groups gives."""
    groups = set(groups)
    if groups.intersection(settings.SSO_ADMIN_GROUPS):
        return Role.ADMIN
    return Role.SUPPORT if groups.intersection(settings.SSO_SUPPORT_GROUPS) else Role.NONE
