"""Finds the records that people mean: by e-mail address, domain, name, phone number, id, address.

An exact key names a record by itself; a name never does. Nothing here links anything, and what is
searched for stands in no address, log line or event.
"""

from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING

from associations.audit.recorder import RequestMeta
from associations.audit.throttling import ThrottledError
from associations.finding.asking import Question
from associations.finding.by_id import by_id
from associations.finding.by_words import by_domain, by_email, by_name, by_phone
from associations.finding.found import MOST_HITS, Found, Hit, Search, Why
from associations.finding.habits import habits_of
from associations.finding.readings import Kind, read_text
from associations.gateway.object_types import TypeChoices
from associations.hubspot.client import ReadError
from associations.hubspot.object_types import ObjectType

if TYPE_CHECKING:
    from hubadmin.models import User

__all__ = ["MOST_HITS", "Found", "Hit", "Why", "find"]

_ANSWERS: dict[Kind, Callable[[Search], Found]] = {
    Kind.REFERENCE: by_id,
    Kind.ID: by_id,
    Kind.EMAIL: by_email,
    Kind.DOMAIN: by_domain,
    Kind.PHONE: by_phone,
    Kind.NAME: by_name,
}


def find(
    *,
    user: "User",
    meta: RequestMeta,
    side: str,
    text: str,
    types: TypeChoices,
    narrowed: ObjectType | None = None,
    other: ObjectType | None = None,
    portal_id: str = "",
    ui_hosts: tuple[str, ...] = (),
) -> Found:
    """Return what `text` means on a side ("from", "to") of the form.

    `narrowed` is the type that was chosen for it, which `company: …` in the text says as well;
    `other` is the type of the other side's record, if that is known. The rest is as
    read_reference() has it. Whatever HubSpot answers, nothing is raised; only where a search cannot
    be logged, that is a LogUnavailableError.
    """
    reading = read_text(text, types, narrowed, portal_id=portal_id, ui_hosts=ui_hosts)
    if reading.kind is Kind.EMPTY:
        return Found(why=Why.EMPTY)
    if reading.kind is Kind.REFUSED:
        return Found(why=reading.reason, facts=reading.facts)
    question = Question(user, meta, reading.kind)
    search = Search(question, reading, side, types, narrowed, other, habits_of(user))
    try:
        found = _ANSWERS[reading.kind](search)
    except ReadError as error:
        found = Found(why=Why.NOT_SHOWN, error=error)
    except ThrottledError as error:
        found = Found(why=Why.TOO_MANY_FINDS, facts={"seconds": error.wait_seconds})
    question.log()
    typed = reading.text if reading.kind in (Kind.EMAIL, Kind.DOMAIN) else ""
    return replace(found, searched=found.searched or question.searched, typed=typed)
