"""Who runs a command: an account of this machine, and the person in whose name."""

import os
import pwd

from django.db.models import Q, QuerySet

from hubadmin.models import User


def account() -> str:
    """Whose shell on this machine it is; in a container it may have no name.

    The system says so, not the environment, which anybody can set.
    """
    try:
        return pwd.getpwuid(os.getuid()).pw_name
    except KeyError:
        return str(os.getuid())


def people_called(who: str, *, by_name: bool = False) -> QuerySet[User]:
    """Return who has this e-mail address or id, or this name."""
    if not who:
        return User.objects.none()
    if who.isascii() and who.isdecimal():
        return User.objects.filter(pk=int(who))
    is_meant = Q(email__iexact=who)
    return User.objects.filter(is_meant | Q(name__iexact=who) if by_name else is_meant)
