"""Keeps what hubadmin tells of people's access, and of what anybody may repeat only so much.

Whoever proves nothing can be refused a thousand times a second, and without cookies each request
behind a proxy is a new session. So of one kind and one person, or of nobody, the log takes so many
a minute from all machines together; each process counts the rest, and the next event says how many.
"""

from collections import Counter
from datetime import timedelta
from threading import Lock
from typing import TYPE_CHECKING, Any

from django.utils import timezone

from associations.audit.recorder import NOWHERE, record_event, request_meta
from associations.models import EventKind, SecurityEvent
from hubadmin.web.http import AnyHttpRequest

if TYPE_CHECKING:
    from hubadmin.models import User

A_MINUTE = 10
REPEATED = {
    *(EventKind.SIGNED_IN, EventKind.SIGNED_OUT),
    *(EventKind.SESSION_ENDED, EventKind.REFUSED),
}
_left_out = Counter[tuple[str, int | None]]()
_lock = Lock()


def keep(
    *,
    what: str,
    user: "User | None",
    request: AnyHttpRequest | None,
    facts: dict[str, Any],
    **kwargs: Any,
) -> None:
    """Receive a `security_event`."""
    key = what, user.pk if user else None
    if what in REPEATED and not _has_room(*key):
        _count(key, 1)
        return
    left_out = _left_out[key]
    if left_out:
        facts = facts | {"left_out": left_out}
    meta = request_meta(request) if request else NOWHERE
    record_event(what, user=user, meta=meta, **facts)
    _count(key, -left_out)


def _has_room(what: str, user_id: int | None) -> bool:
    now = timezone.now()
    minute = (now - timedelta(minutes=1), now)
    lately = SecurityEvent.objects.filter(at__range=minute, what=what, user=user_id)
    return lately[:A_MINUTE].count() < A_MINUTE


def _count(key: tuple[str, int | None], more: int) -> None:
    with _lock:
        _left_out[key] += more
        if not _left_out[key]:
            del _left_out[key]
