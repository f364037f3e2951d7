"""The one function that every way of signing in ends in."""

import logging
from collections.abc import Iterable

from django.conf import settings
from django.db import DatabaseError, transaction

from hubadmin.models import Role, User

logger = logging.getLogger("hubadmin.sso")


def provision(*, issuer: str, subject: str, email: str, name: str, groups: Iterable[str]) -> User:
    """Return the person (issuer, subject), with what their identity provider says of them today.

    The role comes from `groups`, as the settings map them; no known group is no role. Whether they
    are active is not the provider's to say: a person who was switched off here stays so.
    """
    today = {
        "email": email,
        "name": (name or email or subject)[:200],
        "role": role_of(groups),
    }
    user, created = User.objects.get_or_create(issuer=issuer, subject=subject, defaults=today)
    # Some modes come here with every request, so what stands already is not written again.
    changed = [field for field, value in today.items() if getattr(user, field) != value]
    if changed and not created:
        for field in changed:
            setattr(user, field, today[field])
        try:
            with transaction.atomic():
                user.save(update_fields=changed)
        except DatabaseError:
            # It counts for this request all the same: nobody keeps a role for a full disk.
            logger.exception("what the provider says of a person could not be stored")
    return user


def role_of(groups: Iterable[str]) -> Role:
    """Return the highest role that any of these groups gives."""
    groups = set(groups)
    if groups.intersection(settings.SSO_ADMIN_GROUPS):
        return Role.ADMIN
    return Role.SUPPORT if groups.intersection(settings.SSO_SUPPORT_GROUPS) else Role.NONE
