"""What somebody was shown of records, handed on by the form to the log: signed, as anybody posts.

The page that shows a record and the process that takes the submit may be two. What was shown of a
record counts only for that one, so it does not matter which box it stands in meanwhile. Whether two
are linked counts for a minute, and only for these two.
"""

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any, NamedTuple

from django.core import signing
from django.utils import timezone

from associations.finding.names import remembered_name
from associations.hubspot.record_references import SIDES
from associations.models import SeenNames

FIELD = "seen"
MOST = 60  # records; the boxes, and what was chosen and changed meanwhile
SECONDS = 24 * 60 * 60
_SALT = "associations.linking.seen"
PAIR_FIELD = "pair_seen"
PAIR_SECONDS = 60
_PAIR_SALT = "associations.linking.pair_seen"


class Seen(NamedTuple):
    """What a record was called, and the e-mail address or the domain that found it, if one did."""

    name: str = ""
    typed: str = ""


Record = tuple[str, str]  # a canonical type and an id


def token_of(record: Record, seen: Seen) -> str:
    """Return what a form hands on; empty if there is nothing to tell."""
    return signing.dumps([*record, *seen], salt=_SALT) if any(seen) else ""


def seen_in(tokens: Iterable[str]) -> dict[Record, Seen]:
    """Return what these tell, as far as it was shown here within a day."""
    found = dict[Record, Seen]()
    for token in [*tokens][-MOST:]:
        try:
            object_type, object_id, *seen = signing.loads(token, salt=_SALT, max_age=SECONDS)
        except signing.BadSignature:
            continue
        found[object_type, object_id] = Seen(*seen)
    return found


def names_of(association: Mapping[str, str], seen: Mapping[Record, Seen]) -> SeenNames:
    """Return what the two records of an association were called, as far as somebody saw it."""
    names = dict[str, str]()
    for side in SIDES:
        record = (association[f"{side}_object_type"], association[f"{side}_object_id"])
        shown = seen.get(record) or Seen(remembered_name(*record))
        names |= {f"{side}_name": shown.name, f"{side}_typed": shown.typed}
    return SeenNames(**names)


# --- two records ----------------------------------------------------------------------------------

Pair = tuple[Record, Record]


def pair_token(pair: Pair, was_linked: bool, at: datetime) -> str:
    """Return what a form hands on of two records: whether the default type linked them then."""
    return signing.dumps([*pair, was_linked, at.timestamp()], salt=_PAIR_SALT)


def pair_seen(token: str, association: Mapping[str, str]) -> dict[str, Any]:
    """Return the columns `was_linked` and `was_linked_at`; none if it was not seen just now."""
    try:
        *pair, was_linked, at = signing.loads(token, salt=_PAIR_SALT, max_age=PAIR_SECONDS)
    except signing.BadSignature:
        return {}
    asked = [[association[f"{s}_object_type"], association[f"{s}_object_id"]] for s in SIDES]
    seen_at = datetime.fromtimestamp(at, UTC)
    if pair != asked or timezone.now() - seen_at > timedelta(seconds=PAIR_SECONDS):
        return {}
    return {"was_linked": was_linked, "was_linked_at": seen_at}
