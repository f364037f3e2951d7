"""What a person has linked lately, by their latest entries: it tells what they may mean now."""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, NamedTuple

from django.db import Error as DBError

from associations.gateway.object_types import TypeChoices
from associations.hubspot.object_types import ObjectType
from associations.hubspot.outcomes import Outcome
from associations.hubspot.record_references import SIDES
from associations.models import AssociationRequest
from associations.models.readable import with_readable

if TYPE_CHECKING:
    from hubadmin.models import User

LATEST = 100  # entries
_COLUMNS = (
    *("from_object_type", "from_object_id", "to_object_type", "to_object_id"),
    *("created_at", "outcome"),
)
# Where the log says nothing of it.
_USUAL = {
    "from": ("contacts", "companies", "deals", "tickets"),
    "to": ("companies", "contacts", "deals", "tickets"),
}


class _Entry(NamedTuple):
    from_object_type: str
    from_object_id: str
    to_object_type: str
    to_object_id: str
    created_at: datetime
    outcome: str

    def type_of(self, side: str) -> str:
        return self.from_object_type if side == "from" else self.to_object_type

    def records(self) -> Iterator[tuple[str, str]]:
        yield self.from_object_type, self.from_object_id
        yield self.to_object_type, self.to_object_id


@dataclass(frozen=True, slots=True)
class Habits:
    """A person's latest entries of the form, newest first."""

    entries: tuple[_Entry, ...] = ()

    def linked_at(self, object_type: str, object_id: str) -> datetime | None:
        """When they linked the record last, if lately."""
        for entry in self.entries:
            if entry.outcome == Outcome.LINKED and (object_type, object_id) in entry.records():
                return entry.created_at
        return None

    def types_for(
        self, side: str, other: ObjectType | None, types: TypeChoices
    ) -> list[ObjectType]:
        """The types that a record on this side may have, the most probable first.

        The other side's type is one of them only if such pairs are usual for them.
        """
        across = SIDES[side == "from"]
        with_other = [e for e in self.entries if other and e.type_of(across) == other.canonical]
        entries = with_other if other else self.entries
        used = [name for name, _ in Counter(e.type_of(side) for e in entries).most_common()]
        rest = [name for name in _USUAL[side] if not other or name != other.canonical]
        return _offered([*used, *rest], types)

    def most_used(self, types: TypeChoices) -> list[ObjectType]:
        """The types that they use most, on either side."""
        counts = Counter(e.type_of(side) for e in self.entries for side in SIDES)
        return _offered([name for name, _ in counts.most_common()], types)


def habits_of(user: "User") -> Habits:
    """Return these of a person; none if the log cannot be read, which is no reason not to find."""
    newest = with_readable(AssociationRequest.objects.by_hand(user).newest_first(), *_COLUMNS)
    try:
        return Habits(tuple(_Entry(*row) for row in newest.values_list(*_COLUMNS)[:LATEST]))
    except DBError:
        return Habits()


def _offered(names: list[str], types: TypeChoices) -> list[ObjectType]:
    """Those that the account has, each once."""
    known = {each.object_type.canonical: each.object_type for each in types if each.is_enabled}
    return [known[name] for name in dict.fromkeys(names) if name in known]
