"""What a text was found to mean, and what helps to understand it."""

import unicodedata
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import TYPE_CHECKING

from associations.finding.asking import Question
from associations.finding.habits import Habits
from associations.finding.readings import Reading
from associations.gateway.object_types import TypeChoices
from associations.hubspot.client import ReadError
from associations.hubspot.object_types import ObjectType
from associations.hubspot.record_references import PairReason, Reason
from associations.hubspot.schemas import Record

if TYPE_CHECKING:
    from datetime import datetime

MOST_HITS = 8


class Why(StrEnum):
    """Why a text names no record by itself, besides Reason and PairReason; facts in brackets."""

    EMPTY = "empty"  # nothing was typed, or too little to search for
    CHOOSE = "choose"  # a name, or a key of several: somebody chooses among the hits (total)
    NOT_YET = "not_yet"  # nothing is found; HubSpot's search is up to a minute behind
    MISSING = "missing"  # HubSpot has no record of this type and id (object_type, object_id)
    ARCHIVED = "archived"  # it was deleted in HubSpot (object_type, object_id)
    OTHER_TYPE = "other_type"  # the id is another type's record: a hit (object_type, object_id)
    FREE_MAIL = "free_mail"  # the domain of a provider of mail is nobody's company (domain)
    TOO_MANY_FINDS = "too_many_finds"  # this person has searched for a lot (seconds)
    NOT_SHOWN = "not_shown"  # HubSpot did not show it; `error` says why


@dataclass(frozen=True, slots=True)
class Hit:
    """A record that could be meant."""

    object_type: ObjectType
    record: Record
    linked_at: "datetime | None" = None  # when this person linked it last, if lately
    is_twin: bool = False  # another hit has the same name
    asked_id: str = ""  # the id that was asked for, if it was merged into this one since


@dataclass(frozen=True, slots=True)
class Found:
    """What a text means: the one record it names (`chosen`), or else the hits to choose from.

    Without a chosen record `why` says why; its sentence is in texts.py. `searched` are the
    types that were searched, in that order.
    """

    chosen: Hit | None = None
    hits: list[Hit] = field(default_factory=list)
    why: Why | Reason | PairReason | str = ""
    facts: dict[str, str | int] = field(default_factory=dict)
    searched: list[ObjectType] = field(default_factory=list)
    error: ReadError | None = None
    typed: str = ""  # the e-mail address or the domain, if it was one of these


@dataclass(frozen=True, slots=True)
class Search:
    """What is asked, and what helps to understand it."""

    question: Question
    reading: Reading
    side: str
    types: TypeChoices
    narrowed: ObjectType | None
    other: ObjectType | None
    habits: Habits

    def type_of(self, canonical: str) -> ObjectType:
        return self.types.resolve(canonical)

    def hit(self, object_type: ObjectType, record: Record, asked_id: str = "") -> Hit:
        linked_at = self.habits.linked_at(object_type.canonical, record.object_id)
        asked_id = "" if asked_id == record.object_id else asked_id
        return Hit(object_type, record, linked_at, asked_id=asked_id)

    def ranked(self, object_type: ObjectType, records: Sequence[Record]) -> list[Hit]:
        """The hits: what the person linked lately, then whole names, then HubSpot's order."""
        count = Counter(map(_name, records))
        hits = [
            replace(self.hit(object_type, each), is_twin=bool(each.name) and count[_name(each)] > 1)
            for each in records
        ]
        wanted = _folded(self.reading.text)
        return sorted(hits, key=lambda hit: (age(hit), _name(hit.record) != wanted))[:MOST_HITS]


def age(hit: Hit) -> float:
    """What sorts hits by when they were linked: the latest first, never last."""
    return -hit.linked_at.timestamp() if hit.linked_at else 0.0


def _name(record: Record) -> str:
    return _folded(record.name)


def _folded(text: str) -> str:
    return " ".join(unicodedata.normalize("NFKC", text).casefold().split())
