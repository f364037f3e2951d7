"""May this person still act? Asked again by all that lasts: waits, streams, the work of runs.

A request is let in once, and then goes on for as long as it takes; a run goes on for hours. So who
was let in is asked of the database anew, never of what a request or a process remembers.

A database that is away says neither yes nor no: these raise DatabaseError. Whoever asks must not go
on then, but must not say either that the person has lost their access.
"""

import time
from collections.abc import Callable
from typing import cast

from django.http import HttpRequest

from hubadmin.models import Role, User
from hubadmin.web.http import AuthenticatedHttpRequest

ASKED_EVERY = 2.0  # seconds; whoever may no longer act is to be stopped within five


def may_act(user_id: int) -> bool:
    """Whether the person is active and has a role, as it stands now."""
    return User.objects.filter(pk=user_id, is_active=True).exclude(role=Role.NONE).exists()


def is_still_in(request: HttpRequest) -> bool:
    """Whether the person may act, and the sign-in that this request came with has not ended."""
    ours = cast(AuthenticatedHttpRequest, request)
    return may_act(ours.user.pk) and ours.sign_in_lasts()


def watch(ask: Callable[[], bool], *, every: float = ASKED_EVERY) -> Callable[[], bool]:
    """Return a function that asks no more often than that; once the answer was no, it stays no.

    The first time counts from now: whoever begins has just been let in.
    """
    is_in, asked_at = True, time.monotonic()

    def is_in_still() -> bool:
        nonlocal is_in, asked_at
        if is_in and time.monotonic() - asked_at >= every:
            # What was asked late is late, so the clock is read before.
            asked_at, is_in = time.monotonic(), ask()
        return is_in

    return is_in_still
