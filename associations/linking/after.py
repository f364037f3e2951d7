"""After a submit: where it leads to, the strip that tells of it, and what is left to be sent."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from django.db import Error as DBError
from django.urls import reverse
from django.utils.translation import gettext, ngettext

from associations.audit.recorder import LogUnavailableError
from associations.audit.throttling import ThrottledError
from associations.finding import names
from associations.finding.names import Named
from associations.hubspot.outcomes import Outcome
from associations.linking.forms import fields_of
from associations.linking.services import look_after
from associations.linking.several import MOST, Association, Sent
from associations.models import AssociationRequest
from associations.models.readable import (
    KeptQuery,
    UnreadableRow,
    id_in,
    read_rows,
    readable_only,
)
from associations.texts.outcomes import explain

if TYPE_CHECKING:
    from hubadmin.models import User

LATEST = 6
REPEATED = "repeated"  # leads to an entry from a submit that was sent, and ended, before
LINKED = "linked"  # in the address: the entries that are told of
KEEP = "keep"  # and which side of them the form keeps
_SEPARATOR = "-"


_LATEST = KeptQuery(
    lambda user: AssociationRequest.objects.by_hand(user).for_list().with_undone()[:LATEST]
)
# The one entry that most strips tell of.
_ANYBODYS = KeptQuery(lambda pk: AssociationRequest.objects.filter(pk=pk).for_list().with_undone())
_OWN = KeptQuery(
    lambda pk, user: AssociationRequest.objects.of(user).filter(pk=pk).for_list().with_undone()
)


def address_after(sent: Sent) -> str:
    """Return the form's address if all of it is linked; else that of what tells what is not."""
    all_linked = all(entry.outcome == Outcome.LINKED for entry in sent.entries)
    if all_linked and not (sent.is_repeated or sent.left):
        return strip_url(sent.entries)
    is_one = sent.total == 1
    page = sent.entries[0].get_absolute_url() if is_one else together_url(sent.entries)
    return f"{page}?{REPEATED}" if sent.is_repeated else page


def together_url(entries: list[AssociationRequest]) -> str:
    return reverse("together", args=[key_of(entries)])


def fields_of_rest(sent: Sent) -> dict[str, str]:
    """Return the form's fields for what was not sent."""
    first, *others = sent.left
    return first | {"also": "\n".join(map(_reference, others))}


def _reference(association: Association) -> str:
    return f"{association['to_object_type']}/{association['to_object_id']}"


def status_of(sent: Sent) -> int:
    """Return the HTTP status of a page that tells why not all was sent."""
    if isinstance(sent.stop, ThrottledError):
        return 429
    return 503 if isinstance(sent.stop, LogUnavailableError) else 200


def latest_of(user: "User", *, look_up: bool = False) -> dict[str, Any]:
    """Return what linking/latest.html shows: none rather than no page if the log cannot be read."""
    rows = _latest(user)
    if look_up:
        return {"latest": names.look_up(user, rows), "latest_has_names": True}
    latest, has_names = names.remembered(rows)
    return {"latest": latest, "latest_has_names": has_names}


def _latest(user: "User") -> list[AssociationRequest | UnreadableRow]:
    try:
        return _LATEST.read(user.pk)
    except DBError:
        return []


# --- the strip ------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Strip:
    """What was linked just now: one pair, or the first record and several others."""

    pairs: list[Named]
    is_whole: bool  # nothing of it is still to be asked

    @property
    def first(self) -> Named:
        return self.pairs[0]

    @property
    def entry(self) -> AssociationRequest:
        return self._entries[0]

    @property
    def _entries(self) -> list[AssociationRequest]:
        return readable_only([each.entry for each in self.pairs])

    @property
    def is_one(self) -> bool:
        return len(self.pairs) == 1

    @property
    def title(self) -> str:
        if self.is_one:
            return explain(self.entry).title
        count = len(self.pairs)
        return ngettext("{count} pair is linked.", "{count} pairs are linked.", count).format(
            count=count
        )

    @property
    def seen(self) -> str:
        """What the looks before and after say, as far as it is the same of all."""
        if all(each.was_linked for each in self._entries):
            return gettext("linked before already, nothing has changed")
        if any(each.look_due for each in self._entries):
            return gettext("confirmed by HubSpot")
        return gettext("seen in HubSpot") if all(each.verified for each in self._entries) else ""

    @property
    def remarks(self) -> list[str]:
        """What is to be known besides: a merge, or that the link was not seen."""
        explained = explain(self.entry)
        told = (explained.merged, "" if self.entry.look_due else explained.verification)
        return [text for text in told if text and self.is_one]

    @property
    def may_be_undone(self) -> bool:
        return self.entry.was_linked is False

    @property
    def more(self) -> int:
        return len(self.pairs) - 1

    @property
    def url(self) -> str:
        return strip_url(self._entries)

    @property
    def key(self) -> str:
        return key_of(self._entries)

    @property
    def together_url(self) -> str:
        return reverse("together", args=[self.key])

    def kept(self, side: str) -> dict[str, str]:
        """Return the form's fields for the next one: the reason, and the side that is kept."""
        fields = fields_of(self.entry)
        sides = {"from": ("from",), "to": ("to",) if self.is_one else ()}.get(side, ())
        names = ["reason", *(f"{each}_object_{part}" for each in sides for part in ("type", "id"))]
        return {name: fields[name] for name in names}


def strip_of(user: "User", key: str, *, look_up: bool = False) -> Strip | None:
    """Return the strip for these entries, if they are the person's to see, and linked.

    With `look_up` what is still to be asked is: whether the link is there, and the records' names.
    """
    entries = entries_of(user, key)
    if not entries or any(each.outcome != Outcome.LINKED for each in entries):
        return None
    if look_up:
        entries = [look_after(each) for each in entries]
        return Strip(names.look_up(user, entries), is_whole=True)
    pairs, has_names = names.remembered(entries)
    return Strip(pairs, has_names and not any(each.look_due for each in entries))


def entries_of(user: "User", key: str) -> list[AssociationRequest]:
    """Return the entries that an address names, in that order; those that one may see."""
    named = map(id_in, key.split(_SEPARATOR))
    numbers = [number for number in named if number is not None][:MOST]
    if len(numbers) == 1:
        rows = _ANYBODYS.read(*numbers) if user.is_admin else _OWN.read(*numbers, user.pk)
    else:
        shown = AssociationRequest.objects.visible_to(user).for_list().with_undone()
        rows = read_rows(shown.filter(pk__in=numbers))
    found = {entry.pk: entry for entry in readable_only(rows)}
    return [found[number] for number in dict.fromkeys(numbers) if number in found]


def key_of(entries: list[AssociationRequest]) -> str:
    """Return what names the entries in an address."""
    return _SEPARATOR.join(str(each.pk) for each in entries)


def strip_url(entries: list[AssociationRequest]) -> str:
    return f"{reverse('link')}?{LINKED}={key_of(entries)}"
