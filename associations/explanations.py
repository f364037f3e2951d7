"""Plain language for every cause: what happened, what it means, what to do next.

The database keeps the codes; these are the sentences.
"""

import math
import re
from collections.abc import Callable

from django.template.defaultfilters import pluralize

from .hubspot.answers import asked_wait
from .hubspot.outcomes import Cause
from .models import AssociationRequest

CHECK_RECORD = (
    "Look at one of the two records in HubSpot. Linking again is safe: it changes nothing if the "
    "link is there."
)
TELL_ADMIN = "Tell the admin of this site; linking again will not help before that."

_EXPLANATIONS: dict[Cause, tuple[str, str]] = {
    Cause.CONFIRMED: ("{from_} is now linked to {to}.", ""),
    Cause.IN_PROGRESS: (
        "HubSpot accepted the request but has not finished it: {from_} and {to} may not be linked "
        "yet.",
        CHECK_RECORD,
    ),
    Cause.NOT_SHOWN: (
        "HubSpot accepted the request, but its answer does not show the link from {from_} to {to}.",
        CHECK_RECORD,
    ),
    Cause.PARTLY_FAILED: (
        "HubSpot's answer contradicts itself: it shows a link from {from_} to {to} and an error.",
        CHECK_RECORD,
    ),
    Cause.UNKNOWN_STATUS: (
        "HubSpot accepted the request, but answered with a status that is not known here "
        "(“{status}”).",
        CHECK_RECORD,
    ),
    Cause.UNREADABLE: (
        "HubSpot accepted the request, but its answer could not be read, so nothing proves the "
        "link from {from_} to {to}.",
        CHECK_RECORD,
    ),
    Cause.CANCELED_BY_HUBSPOT: (
        "HubSpot canceled the request: {from_} and {to} were not linked.",
        "Link them again. If it is canceled once more, tell the admin of this site.",
    ),
    Cause.UNKNOWN_OBJECT_TYPE: (
        "HubSpot does not know one of the object types: {types}.",
        "Check the types. A custom object goes by its id, such as 2-4001, and some types must be "
        "switched on in the account first.",
    ),
    Cause.RECORD_NOT_FOUND: (
        "HubSpot has no {missing}.",
        "Check the id at the end of the record's address. The record may also have been deleted "
        "or merged into another.",
    ),
    Cause.NO_DEFAULT_TYPE: (
        "HubSpot has no default way to link these two types: {types}.",
        "Check that both types are the ones you mean. If they are, an admin of HubSpot has to "
        "define an association between them.",
    ),
    Cause.ASSOCIATION_LIMIT: (
        "{from_} and {to} were not linked: one of them has as many links of this kind as HubSpot "
        "allows.",
        "Remove a link in HubSpot that is no longer needed, or ask an admin of HubSpot to raise "
        "the limit.",
    ),
    Cause.REFUSED: (
        "HubSpot refused to link {from_} to {to}.",
        "Read HubSpot's words below. If they do not help, pass them on to the admin of this site "
        "together with the correlation id.",
    ),
    Cause.REDIRECTED: (
        "HubSpot was not reached: the configured address sent us to another one. Nothing was "
        "linked.",
        "Tell the admin of this site that the address of HubSpot's API is wrong.",
    ),
    Cause.TOKEN_REFUSED: (
        "HubSpot does not accept this site's access token. Nothing was linked.",
        "Tell the admin of this site: the token has to be replaced.",
    ),
    Cause.SCOPE_MISSING: (
        "This site's access token may not do this in HubSpot. Nothing was linked.",
        "Tell the admin of this site: the token also needs {scopes}.",
    ),
    Cause.FORBIDDEN: (
        "HubSpot does not allow this site to link {from_} to {to}. Nothing was linked.",
        TELL_ADMIN,
    ),
    Cause.LOCKED: (
        "HubSpot had one of the records locked, and it stayed locked. Nothing was linked.",
        "Link them again in a few seconds.",
    ),
    Cause.RATE_LIMITED: (
        "HubSpot takes no more requests for the moment. Nothing was linked.",
        "Link them again in {wait}.",
    ),
    Cause.DAILY_LIMIT: (
        "HubSpot's daily limit of requests is used up. Nothing was linked.",
        "Link them again tomorrow: the limit is reset at midnight in the time zone of the HubSpot "
        "account. Tell the admin of this site if it cannot wait.",
    ),
    Cause.MIGRATING: (
        "HubSpot is moving the account's data and takes no requests. Nothing was linked.",
        "Link them again in {wait}.",
    ),
    Cause.HUBSPOT_ERROR: (
        "HubSpot had an error of its own. Whether {from_} and {to} are linked is not known.",
        CHECK_RECORD,
    ),
    Cause.HUBSPOT_DOWN: (
        "HubSpot is not available at the moment. Whether {from_} and {to} are linked is not known.",
        "Wait some minutes (status.hubspot.com says how HubSpot is). " + CHECK_RECORD,
    ),
    Cause.TIMED_OUT: (
        "HubSpot did not answer in time. Whether {from_} and {to} are linked is not known.",
        CHECK_RECORD,
    ),
    Cause.CONNECTION_LOST: (
        "The connection to HubSpot broke before its answer had come. Whether {from_} and {to} are "
        "linked is not known.",
        CHECK_RECORD,
    ),
    Cause.INTERRUPTED: (
        "This site was interrupted before it had noted HubSpot's answer. Whether {from_} and {to} "
        "are linked is not known.",
        CHECK_RECORD,
    ),
    Cause.NO_CONNECTION: (
        "HubSpot could not be reached. Nothing was sent, so {from_} and {to} were not linked.",
        "Link them again in some minutes (status.hubspot.com says how HubSpot is). If it goes on, "
        "tell the admin of this site.",
    ),
}


class Explanation:
    """How an entry ended, or what it is waiting for; `next_step` is empty if nothing is left to do.

    What a sentence needs is looked up only when it is told: a list asks for no more than it shows.
    """

    def __init__(self, entry: AssociationRequest) -> None:
        self._facts = _Facts(entry)
        waiting = f"Linking {entry.from_label} to {entry.to_label} …"
        self._texts = _EXPLANATIONS[Cause(entry.cause)] if entry.cause else (waiting, "")

    @property
    def sentence(self) -> str:
        return self._texts[0].format_map(self._facts)

    @property
    def next_step(self) -> str:
        return self._texts[1].format_map(self._facts)


def explain(entry: AssociationRequest) -> Explanation:
    """Say in plain language how an entry ended."""
    return Explanation(entry)


class _Facts(dict):
    """What the sentences may name of an entry."""

    def __init__(self, entry: AssociationRequest) -> None:
        self._entry = entry

    def __missing__(self, name: str) -> str:
        return _FACTS[name](self._entry)


_FACTS: dict[str, Callable[[AssociationRequest], str]] = {
    "from_": lambda entry: entry.from_label,
    "to": lambda entry: entry.to_label,
    "status": lambda entry: entry.status or "none",
    "types": lambda entry: f"{_label(entry.from_label)} and {_label(entry.to_label)}",
    "missing": lambda entry: (
        " and no ".join(map(_lower, missing_records(entry)))
        or "such record on one of the two sides"
    ),
    "scopes": lambda entry: ", ".join(missing_scopes(entry)) or "a scope HubSpot does not name",
    "wait": lambda entry: _wait(entry),
}


def missing_records(entry: AssociationRequest) -> list[str]:
    """Return which of the two records HubSpot says it does not have, as people call them."""
    # The message may name both records; the context is more exact, where there is one.
    named = _named_in(_strings(entry.errors, "context"), entry)
    return named or _named_in(_strings(entry.errors), entry)


def missing_scopes(entry: AssociationRequest) -> list[str]:
    """Return the scopes HubSpot says the token lacks."""
    # missingScopes, requiredScopes, requiredGranularScopes
    strings = " ".join(_strings(entry.errors, "Scopes"))
    return sorted(set(re.findall(r"[a-z][a-z0-9._-]*[a-z0-9]", strings)))


def _named_in(strings: list[str], entry: AssociationRequest) -> list[str]:
    text = " ".join(strings)
    sides = [(entry.from_label, entry.from_object_id), (entry.to_label, entry.to_object_id)]
    named = [label for label, object_id in sides if _is_word(object_id, text)]
    if entry.from_object_id == entry.to_object_id:
        # Both have this id: the type must tell which of them is meant.
        return [label for label in named if _is_word(_label(label), text)]
    return named


def _is_word(word: str, text: str) -> bool:
    """Whether `word` stands alone (not within a correlation id, say): `LINE_ITEM=5 is not valid`"""
    word, text = word.replace("_", " "), text.replace("_", " ")
    return bool(re.search(rf"(?i)(?<![\w-]){re.escape(word)}(?![\w-])", text))


def _strings(value: object, below: str = "", found: bool = False) -> list[str]:
    """Every string within `value`; with `below`, only those under a key that ends so."""
    if isinstance(value, str):
        return [value] if found or not below else []
    if isinstance(value, dict):
        pairs = value.items()
        return [s for key, v in pairs for s in _strings(v, below, found or key.endswith(below))]
    if isinstance(value, list):
        return [s for item in value for s in _strings(item, below, found)]
    return []


def _label(record: str) -> str:
    return record.rsplit(" ", 1)[0]


def _lower(label: str) -> str:
    """`contact 383` within a sentence; custom objects are written small anyway."""
    return label[0].lower() + label[1:]


def _wait(entry: AssociationRequest) -> str:
    last = entry.attempts.last()
    asked = asked_wait(last.http_status, last.headers) if last else None
    seconds = math.ceil(asked or 10)
    if seconds >= 120:
        return f"{math.ceil(seconds / 60)} minutes"
    return f"{seconds} second{pluralize(seconds)}"
