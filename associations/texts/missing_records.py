"""The records that HubSpot says it lacks, as far as its words tell which."""

import re
from typing import TYPE_CHECKING

from django.utils.translation import gettext

from associations.hubspot.answers import strings_in
from associations.hubspot.object_types import label_of
from associations.hubspot.outcomes import Cause
from associations.hubspot.unseen import visible
from associations.texts.labels import type_within_a_sentence

if TYPE_CHECKING:
    from associations.models import AssociationRequest

_Record = tuple[str, str]  # its type and its id


def missing_records(entry: "AssociationRequest") -> list[str]:
    """Return which of the two records HubSpot says it does not have, as people call them."""
    return [_within_a_sentence(*record) for record in _missing(entry)]


def missing_briefly(entry: "AssociationRequest") -> str:
    """Say in few words what HubSpot lacks, where that is one of the two: no such company."""
    missing = _missing(entry)
    if len(missing) != 1:
        return gettext("no such record")
    return gettext("no such {type}").format(type=type_within_a_sentence(missing[0][0]))


def is_missing(entry: "AssociationRequest", object_type: str, object_id: str) -> bool:
    """Whether the entry ended as HubSpot said that it does not have this record."""
    said = entry.cause == Cause.RECORD_NOT_FOUND
    return said and (object_type, object_id) in _missing(entry)


def _missing(entry: "AssociationRequest") -> list[_Record]:
    # The message may name both records; the context is more exact, where there is one.
    named = _named_in(strings_in(entry.errors, "context"), entry)
    return named or _named_in(strings_in(entry.errors), entry)


def _named_in(strings: list[str], entry: "AssociationRequest") -> list[_Record]:
    text = " ".join(strings)
    sides = [
        (entry.from_object_type, entry.from_object_id),
        (entry.to_object_type, entry.to_object_id),
    ]
    named = [(kind, object_id) for kind, object_id in sides if _is_word(object_id, text)]
    if entry.from_object_id == entry.to_object_id:
        # Both have this id: the type must tell which of them is meant. HubSpot says it in English.
        named = [(kind, object_id) for kind, object_id in named if _is_word(label_of(kind), text)]
    return named


def _within_a_sentence(object_type: str, object_id: str) -> str:
    """`contact 383`"""
    return visible(f"{type_within_a_sentence(object_type)} {object_id}")


def _is_word(word: str, text: str) -> bool:
    """Whether `word` stands alone (not within a correlation id, say): `LINE_ITEM=5 is not valid`"""
    word, text = word.replace("_", " "), text.replace("_", " ")
    return bool(re.search(rf"(?i)(?<![\w-]){re.escape(word)}(?![\w-])", text))
