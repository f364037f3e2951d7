"""What happened to one entry, moment by moment: by our clock, and by HubSpot's."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime

from django.utils.translation import gettext

from associations.models import AssociationAttempt, AssociationRequest
from associations.texts.labels import word_for


@dataclass(frozen=True, slots=True)
class Moment:
    """One thing that happened; `by_hubspot` says whose clock tells."""

    at: datetime
    what: str
    by_hubspot: bool = False
    attempt: AssociationAttempt | None = None
    offset: float | None = None  # seconds since the request was sent


def timeline(entry: AssociationRequest) -> list[Moment]:
    """Return the moments in the order of their times; the two clocks may differ a little."""
    moments = sorted(_moments(entry), key=lambda moment: moment.at)
    start = entry.sent_at or entry.created_at
    return [
        Moment(m.at, m.what, m.by_hubspot, m.attempt, (m.at - start).total_seconds())
        for m in moments
    ]


def _moments(entry: AssociationRequest) -> Iterator[Moment]:
    yield Moment(entry.created_at, gettext("Written to the log"))
    if entry.sent_at and entry.sent_at != entry.created_at:
        yield Moment(entry.sent_at, gettext("Sent"))
    for attempt in entry.attempts.all():
        what = gettext("Attempt {number}").format(number=attempt.number)
        yield Moment(attempt.started_at, what, attempt=attempt)
    told = [
        (entry.requested_at, gettext("HubSpot: requested")),
        (entry.started_at, gettext("HubSpot: started")),
        (entry.completed_at, gettext("HubSpot: completed")),
    ]
    yield from (Moment(at, what, by_hubspot=True) for at, what in told if at)
    if entry.verified_at:
        is_there, is_not = gettext("Looked up: linked"), gettext("Looked up: not linked")
        yield Moment(entry.verified_at, is_there if entry.verified else is_not)
    if entry.finished_at:
        what = gettext("Closed: {outcome}").format(outcome=word_for(entry.outcome))
        yield Moment(entry.finished_at, what)
