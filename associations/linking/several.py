"""Several pairs by one submit: one after the other, each an entry of its own as if sent alone."""

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from functools import partial
from typing import TYPE_CHECKING, Any

from associations.audit.recorder import LogUnavailableError, RequestMeta
from associations.audit.throttling import ThrottledError
from associations.hubspot.client import IsStillIn
from associations.hubspot.outcomes import Cause
from associations.linking.seen import Record, Seen, names_of, pair_seen
from associations.linking.services import SentBeforeError, create_association
from associations.models import AssociationRequest

if TYPE_CHECKING:
    from hubadmin.models import User

MOST = 25
SECONDS = 25.0  # after which none is begun any more: somebody waits, and so does a proxy

Association = dict[str, str]  # what create_association() asks for


class Stop(StrEnum):
    """Why the rest was not sent, besides the two errors."""

    TOOK_LONG = "took_long"
    LEFT = "left"  # the person may not act any more


@dataclass(slots=True)
class Sent:
    """What became of a submit: its entries, what is left of it, and what stopped it, if anything.

    `is_repeated`: all of it had been sent, and had ended, before; nothing was sent now.
    """

    entries: list[AssociationRequest] = field(default_factory=list)
    left: list[Association] = field(default_factory=list)
    stop: Stop | LogUnavailableError | ThrottledError | None = None
    is_repeated: bool = True

    @property
    def total(self) -> int:
        return len(self.entries) + len(self.left)


def create_associations(
    *,
    user: "User",
    associations: Sequence[Association],
    meta: RequestMeta,
    seen: Mapping[Record, Seen],
    is_still_in: IsStillIn,
    pair_token: str = "",
) -> Sent:
    """Link each pair, until something stops it; `seen` is what somebody was shown of the records.

    `pair_token` tells of one of the pairs whether it was linked when somebody was shown that.

    All have the same one-time token, and each the key of its own fields: what was sent before is
    not sent again, whether all of it comes once more or only what was left.
    """
    sent, deadline = Sent(), time.monotonic() + SECONDS
    for number, association in enumerate(associations):
        if number and time.monotonic() > deadline:
            sent.stop = Stop.TOOK_LONG
        else:
            facts: dict[str, Any] = association | {"names": names_of(association, seen)}
            facts |= pair_seen(pair_token, association)
            _send(sent, partial(create_association, user=user, meta=meta, **facts), is_still_in)
        if sent.stop:
            sent.left = list(associations[len(sent.entries) :])
            break
    return sent


def _send(sent: Sent, create: Callable[..., AssociationRequest], is_still_in: IsStillIn) -> None:
    try:
        entry = create(is_still_in=is_still_in)
        sent.is_repeated = False
    except SentBeforeError as error:
        entry = error.entry
    except (LogUnavailableError, ThrottledError) as error:
        sent.stop = error
        return
    sent.entries.append(entry)
    if entry.cause == Cause.ACCESS_ENDED:
        sent.stop = Stop.LEFT
