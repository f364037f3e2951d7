"""What somebody was shown of a record, handed on by the form to the log: signed, as anybody posts.

The page that shows a record and the process that takes the submit may be two. What was shown of a
record counts only for that one, so it does not matter which box it stands in meanwhile.
"""

from collections.abc import Iterable, Mapping
from typing import NamedTuple

from django.core import signing

from associations.finding.names import remembered_name
from associations.hubspot.record_references import SIDES
from associations.models import SeenNames

FIELD = "seen"
MOST = 60  # records; the boxes, and what was chosen and changed meanwhile
SECONDS = 24 * 60 * 60
_SALT = "associations.linking.seen"


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
