"""What people read for security events; the database, files and lines keep the codes."""

from collections.abc import Iterator
from typing import Any

from django.utils.translation import gettext, ngettext, pgettext_lazy
from django.utils.translation import gettext_lazy as _

from associations.hubspot.sanitizing import keyed, listed
from associations.models import EventKind, SecurityEvent
from associations.models.events import OF_APPROVALS
from associations.texts.labels import type_label

GROUPS = {
    _("Access"): {
        EventKind.SIGNED_IN: pgettext_lazy("what somebody did", "signed in"),
        EventKind.SIGNED_OUT: pgettext_lazy("what somebody did", "signed out"),
        EventKind.SESSION_ENDED: pgettext_lazy("what happened to somebody", "session ended"),
        EventKind.REFUSED: pgettext_lazy("what happened to somebody", "not let in"),
        EventKind.ROLE_CHANGED: pgettext_lazy("what happened to somebody", "role changed"),
        EventKind.DEACTIVATED: pgettext_lazy("what happened to somebody", "deactivated"),
        EventKind.REACTIVATED: pgettext_lazy("what happened to somebody", "reactivated"),
    },
    _("Files"): {
        EventKind.DOWNLOADED: pgettext_lazy("what somebody did", "downloaded"),
    },
    _("Records"): {
        EventKind.RECORDS_SEARCHED: pgettext_lazy("what somebody did", "searched HubSpot"),
        EventKind.LINKS_SWEPT: pgettext_lazy("what hubadmin did", "looked at the links"),
    },
    _("Bulk runs"): {
        EventKind.RUN_UPLOADED: pgettext_lazy("what somebody did with a run", "uploaded"),
        EventKind.RUN_APPROVAL_ASKED: pgettext_lazy(
            "what somebody did with a run", "asked for approval"
        ),
        EventKind.RUN_APPROVAL_WITHDRAWN: pgettext_lazy(
            "what somebody did with a run", "took the request for approval back"
        ),
        EventKind.RUN_APPROVAL_REFUSED: pgettext_lazy(
            "what somebody did with a run", "did not approve"
        ),
        EventKind.RUN_APPROVAL_EXPIRED: pgettext_lazy(
            "what happened to a run", "request for approval expired"
        ),
        EventKind.RUN_APPROVAL_VOID: pgettext_lazy(
            "what happened to a run", "request for approval became void"
        ),
        EventKind.RUN_APPROVED: pgettext_lazy("what somebody did with a run", "approved"),
        EventKind.RUN_STARTED: pgettext_lazy("what somebody did with a run", "started"),
        EventKind.RUN_PAUSED: pgettext_lazy("what somebody did with a run", "paused"),
        EventKind.RUN_STOPPED: pgettext_lazy("what a run did", "paused by itself"),
        EventKind.RUN_RESUMED: pgettext_lazy("what somebody did with a run", "resumed"),
        EventKind.RUN_TAKEN_OVER: pgettext_lazy("what somebody did with a run", "took it over"),
        EventKind.RUN_CANCELED: pgettext_lazy("what somebody did with a run", "canceled"),
        EventKind.RUN_ENDED: pgettext_lazy("what a run did", "ended"),
        EventKind.RUN_DISCARDED: pgettext_lazy("what somebody did with a run", "discarded"),
    },
}
_WORDS = {str(kind): word for words in GROUPS.values() for kind, word in words.items()}
_ROLES = {
    "": pgettext_lazy("role", "no access"),
    "support": pgettext_lazy("role", "support"),
    "admin": pgettext_lazy("role", "admin"),
}
_SEARCHED_BY = {
    "name": pgettext_lazy("what somebody searched by", "by name"),
    "email": pgettext_lazy("what somebody searched by", "by email address"),
    "domain": pgettext_lazy("what somebody searched by", "by domain"),
    "phone": pgettext_lazy("what somebody searched by", "by phone number"),
    "key": pgettext_lazy("what somebody searched by", "by a unique property"),
}


def event_word(event: SecurityEvent) -> str:
    """Return what happened; of a code that is not known here, the code."""
    return str(_WORDS.get(event.what, event.what))


def event_details(event: SecurityEvent) -> list[str]:
    """Return what else is known of it, each a few words; not why, which is the log's English."""
    return [*_details(event, keyed(event.facts))]


def _details(event: SecurityEvent, facts: dict[str, Any]) -> Iterator[str]:
    if event.what == EventKind.SIGNED_IN:
        yield _role(event.role)
    if "from" in facts:
        yield f"{_role(facts['from'])} → {_role(event.role)}"
    yield from (str(facts[name]) for name in ("file", "name") if facts.get(name))
    if facts.get("by"):
        # Translators: an account of the machine that the server runs on
        yield gettext("by {account}, on the server").format(account=facts["by"])
    if isinstance(undone := facts.get("undoes"), int):
        yield gettext("undoes run {number}").format(number=undone)
    if event.what in OF_APPROVALS:
        yield from _approval(facts)
    if event.what == EventKind.RECORDS_SEARCHED:
        yield from _searched(facts)
    if event.what == EventKind.LINKS_SWEPT:
        yield from _swept(facts)
    if isinstance(count := facts.get("left_out"), int):
        text = ngettext("{count} more before, not listed", "{count} more before, not listed", count)
        yield text.format(count=count)


def _approval(facts: dict[str, Any]) -> Iterator[str]:
    """Of whom, how much, which rows by their SHA-256, and why not."""
    if whose := facts.get("asked_by"):
        yield gettext("asked for by {name}").format(name=whose)
    if isinstance(count := facts.get("pairs"), int):
        yield ngettext("{count} pair", "{count} pairs", count).format(count=count)
    if digest := facts.get("digest"):
        yield f"SHA-256 {str(digest)[:12]}…"
    if why := facts.get("reason"):
        yield str(why)


def _searched(facts: dict[str, Any]) -> Iterator[str]:
    if types := listed(facts.get("types")):
        yield ", ".join(type_label(str(each)) for each in types)
    if how := facts.get("how"):
        yield str(_SEARCHED_BY.get(str(how), how))
    if isinstance(count := facts.get("hits"), int):
        yield ngettext("{count} record found", "{count} records found", count).format(count=count)


def _swept(facts: dict[str, Any]) -> Iterator[str]:
    if isinstance(count := facts.get("links"), int):
        yield ngettext("{count} link", "{count} links", count).format(count=count)
    if facts.get("first"):
        text = gettext("entries {first} to {last}")
        yield text.format(first=facts["first"], last=facts.get("last"))
    if isinstance(count := facts.get("findings"), int):
        text = ngettext("{count} change found", "{count} changes found", count)
        yield text.format(count=count) if count else gettext("all as before")
    if isinstance(count := facts.get("not_looked_at"), int) and count:
        text = ngettext("{count} not looked at", "{count} not looked at", count)
        yield text.format(count=count)


def _role(code: Any) -> str:
    return str(_ROLES.get(str(code), code))
