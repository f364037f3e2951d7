"""Plain language for how an entry ended: what happened, what it means, what to do next.

The database keeps the codes; these are the sentences, each whole, for translators.
"""

import math
from collections.abc import Callable
from datetime import timedelta
from typing import TYPE_CHECKING

from django.utils import timezone
from django.utils.functional import Promise
from django.utils.html import conditional_escape, format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext, ngettext
from django.utils.translation import gettext_lazy as _

from associations.hubspot.answers import messages_in, missing_scopes_in, retry_after
from associations.hubspot.outcomes import Cause, Linked, Outcome, verdict_of
from associations.hubspot.unseen import visible
from associations.models.readable import read_rows, readable_only
from associations.texts import undone
from associations.texts.labels import (
    from_called,
    from_label,
    merges_of,
    to_called,
    to_label,
    type_label,
    word_for,
)
from associations.texts.lookup_errors import reason_of
from associations.texts.missing_records import missing_briefly, missing_records
from associations.texts.remedies import ADMIN, Remedy, helper_of, in_a_row, remedy_of

if TYPE_CHECKING:
    from associations.models import AssociationRequest

# A sentence, or for a sentence that depends on more than the records' names: what makes it.
Text = Promise | str | Callable[["AssociationRequest"], str]


class Explanation:
    """How an entry ended, or what it is waiting for; `next_step` is empty if nothing is left to do.

    What a sentence needs is looked up only when it is told: a list asks for no more than it shows.
    """

    def __init__(self, entry: "AssociationRequest", *, is_admin: bool) -> None:
        self._entry = entry
        self._is_admin = is_admin
        self._texts = _texts_of(entry)

    @property
    def sentence(self) -> str:
        return visible(_told(self._texts[0], self._entry))

    @property
    def title(self) -> str:
        """The sentence without names: browsers keep titles, and show them to whoever comes next."""
        text = self._texts[0]
        entry = self._entry
        sides = {"from_": from_label(entry), "to": to_label(entry)}
        if callable(text):
            return "{from_} → {to}".format(**sides)
        return visible(str(text).format(**_called(entry) | sides))

    @property
    def headline(self) -> SafeString:
        """The sentence as HTML, what others have named apart from the words around it."""
        text = self._texts[0]
        if callable(text):
            return conditional_escape(self.sentence)
        apart = {
            name: format_html("<bdi>{}</bdi>", visible(called))
            for name, called in _called(self._entry).items()
        }
        return format_html(str(text), **apart)

    @property
    def next_step(self) -> SafeString:
        remedies = _remedies_of(self._entry, has_ended_well=not self._texts[1])
        helpers = (helper_of(each, is_admin=self._is_admin) for each in remedies)
        return in_a_row([visible(_told(self._texts[1], self._entry)), *helpers])

    @property
    def verification(self) -> str:
        """What was seen afterwards, if that is not what one expects; else nothing."""
        return _verification_of(self._entry)

    @property
    def merged(self) -> str:
        """Into which records the two were merged, if they were."""
        return merges_of(self._entry)


def explain(entry: "AssociationRequest", *, is_admin: bool = False) -> Explanation:
    """Say in plain language, and in the reader's, how an entry ended, and to an admin what next."""
    return Explanation(entry, is_admin=is_admin)


def briefly(entry: "AssociationRequest") -> str:
    """Say in a few words why an entry has not ended in a link; empty if it has, or goes on."""
    if entry.is_open or entry.outcome in (Outcome.LINKED, Outcome.UNLINKED):
        return ""
    if entry.cause == Cause.RECORD_NOT_FOUND:
        return missing_briefly(entry)
    return word_for(entry.cause) if entry.cause else ""


def beside_outcome(entry: "AssociationRequest") -> str:
    """Say in a few words what a list tells beside the outcome: why, and what was seen.

    The pair stands there already. Empty where it has ended as one expects, or goes on.
    """
    undone_since = gettext("undone since") if entry.was_undone else ""
    parts = [undone_since, _why_in_a_list(entry), _seen_in_a_list(entry), merges_of(entry)]
    return visible(" · ".join(filter(None, parts)))


def _why_in_a_list(entry: "AssociationRequest") -> str:
    if entry.cause == Cause.RECORD_NOT_FOUND:
        return _no_such_record(entry)
    return briefly(entry)


def _seen_in_a_list(entry: "AssociationRequest") -> str:
    if entry.undoes_id:
        return gettext("undo of entry {number}").format(number=entry.undoes_id)
    if entry.is_open or entry.cause == Cause.SAME_RECORD:
        return ""
    if entry.was_linked:
        return gettext("linked before already")
    if entry.outcome != Outcome.LINKED:
        return gettext("seen linked afterwards") if entry.verified else ""
    if entry.verified is False:
        return gettext("not seen afterwards")
    return gettext("not verified") if entry.unverified_cause else ""


def _texts_of(entry: "AssociationRequest") -> tuple[Text, Text]:
    if entry.undoes_id:
        return undone.texts_of(entry)
    if better := _better_known(entry):
        return better, ""
    if entry.cause:
        text, next_step = _BY_CAUSE.get(entry.cause, (_code, ""))
        return _more_exactly(entry) or text, next_step
    if not entry.is_open:
        return _code, ""
    if entry.outcome == Outcome.QUEUED:
        return _QUEUED if entry.sent_at is None else _QUEUED_AGAIN, ""
    return _WAITING, ""


def _remedies_of(entry: "AssociationRequest", *, has_ended_well: bool) -> list[Remedy]:
    """What helps with how it ended; and with a look afterwards that only an admin can repair."""
    ended = [] if has_ended_well else [remedy_of(entry.cause)]
    unseen = remedy_of(entry.unverified_cause)
    return ended + [unseen] * (unseen is ADMIN and ADMIN not in ended)


def _told(text: Text, entry: "AssociationRequest") -> str:
    if callable(text):
        return text(entry)
    sentence = str(text)
    if "_type}" in sentence:
        return sentence.format(**_called(entry))
    # Of a hundred thousand rows the names of types that no sentence tells would be worth noting.
    return sentence.format(from_=from_called(entry), to=to_called(entry))


def _called(entry: "AssociationRequest") -> dict[str, str]:
    """What the sentences call the two records, by name as far as that is known, and their types."""
    return {
        "from_": from_called(entry),
        "to": to_called(entry),
        "from_type": type_label(entry.from_object_type),
        "to_type": type_label(entry.to_object_type),
    }


# --- what was seen before and after --------------------------------------------------------------

_WAS_LINKED = _("{from_} was already linked to {to}. Nothing has changed.")
_SAID_TO_BE_LINKED = _("HubSpot answered that {from_} is now linked to {to}.")
_IS_LINKED_AFTER_ALL = _(
    "{from_} is linked to {to}: no answer of HubSpot's proved it, but the link was there when it "
    "was looked up afterwards."
)
_WERE_LINKED = _("They were linked already before this request, and it changed nothing.")
_NOT_THERE = _(
    "The link was not there when it was looked up afterwards. HubSpot may need a moment: check "
    "again."
)


_STILL_TO_BE_SEEN = _("HubSpot has confirmed it; whether it shows the link is looked up next.")


def _better_known(entry: "AssociationRequest") -> Promise | None:
    """The sentence for what was seen, where HubSpot's answer says less, or too much."""
    verdict = verdict_of(entry.cause)
    if verdict is None or verdict.linked is Linked.NO:
        return None
    is_confirmed = entry.cause == Cause.CONFIRMED
    if entry.was_linked and (entry.verified or (is_confirmed and entry.verified is None)):
        return _WAS_LINKED
    if is_confirmed:
        looked_in_vain = entry.verified is False or entry.unverified_cause
        return _SAID_TO_BE_LINKED if looked_in_vain else None
    return _IS_LINKED_AFTER_ALL if entry.verified else None


def _more_exactly(entry: "AssociationRequest") -> Promise | None:
    """The sentence where one cause has two, each with the records' names."""
    if entry.cause == Cause.NOT_SENT and entry.sent_at is not None:
        return _CANCELED_UNACCEPTED
    if entry.cause == Cause.UNKNOWN_STATUS and not entry.status:
        return _NO_STATUS
    return None


def _verification_of(entry: "AssociationRequest") -> str:
    if entry.undoes_id:
        return undone.verification_of(entry)
    if entry.cause == Cause.SAME_RECORD:
        return ""
    if entry.linked is Linked.NO and entry.was_linked:
        return str(_WERE_LINKED)
    if entry.look_due:
        return str(_STILL_TO_BE_SEEN)
    if entry.verified is False:
        return str(_NOT_THERE)
    if entry.unverified_cause:
        reason = {"reason": reason_of(entry.unverified_cause)}
        if entry.outcome == Outcome.UNREACHABLE:
            return gettext("Looking it up afterwards was not possible either: %(reason)s") % reason
        return gettext("It was not verified: %(reason)s") % reason
    return ""


# --- sentences that depend on more than the records' names --------------------------------------


def _code(entry: "AssociationRequest") -> str:
    """What another version of this code, or nobody, has a sentence for."""
    return word_for(entry.cause or entry.outcome)


def _no_such_record(entry: "AssociationRequest") -> str:
    match missing_records(entry):
        case [first, second]:
            text = gettext("HubSpot has no {first} and no {second}.")
            return text.format(first=first, second=second)
        case [record]:
            return gettext("HubSpot has no {record}.").format(record=record)
    return gettext("HubSpot has no such record on one of the two sides.")


def _unknown_status(entry: "AssociationRequest") -> str:
    text = gettext(
        "HubSpot accepted the request, but answered with a status that is not known here "
        "(“{status}”)."
    )
    return text.format(status=entry.status)


def _get_scopes(entry: "AssociationRequest") -> str:
    if scopes := missing_scopes_in(entry.errors):
        return gettext("The token also needs {scopes}.").format(scopes=", ".join(scopes))
    return gettext("The token also needs a scope that HubSpot does not name.")


def _read_words(entry: "AssociationRequest") -> str:
    if any(messages_in(entry.errors)):
        return gettext("Read HubSpot's words below.")
    return gettext("HubSpot gave no reason. Look at the two records in HubSpot.")


def _wait(entry: "AssociationRequest") -> str:
    last = readable_only(read_rows(entry.attempts.reverse()[:1]))
    # A date that HubSpot names is one of then: the wait begins as the entry is closed.
    closed = entry.finished_at
    asked = retry_after(last[0].http_status, last[0].headers, closed) if last else None
    if asked is None and entry.cause == Cause.MIGRATING:
        return gettext("Link them again later; HubSpot does not say when.")
    seconds = math.ceil(_left_of(asked or 10, entry))
    if seconds <= 0:
        return str(_LINK_AGAIN)
    if seconds >= 120:
        minutes = math.ceil(seconds / 60)
        text = ngettext(
            "Link them again in {count} minute.", "Link them again in {count} minutes.", minutes
        )
        return text.format(count=minutes)
    text = ngettext(
        "Link them again in {count} second.", "Link them again in {count} seconds.", seconds
    )
    return text.format(count=seconds)


def _left_of(seconds: float, entry: "AssociationRequest") -> float:
    """What is left of a wait that began when the entry was closed."""
    since = timezone.now() - entry.finished_at if entry.finished_at else timedelta()
    return seconds - max(0.0, since.total_seconds())


def _too_many_calls(entry: "AssociationRequest") -> str:
    if entry.http_status is None:
        return gettext(
            "All calls that this site allows itself within ten seconds are in use, so this one was "
            "not sent. Nothing was linked."
        )
    return gettext("HubSpot takes no more requests for the moment. Nothing was linked.")


# --- by cause ------------------------------------------------------------------------------------

_WAITING = _("Linking {from_} to {to} …")
_QUEUED = _("{from_} and {to} wait for their turn in a bulk run. Nothing was sent yet.")
_QUEUED_AGAIN = _(
    "{from_} and {to} wait for another turn in a bulk run: what was sent before has not settled it."
)
_CANCELED_UNACCEPTED = _(
    "The run was canceled before {from_} and {to} were linked: HubSpot had accepted no call about "
    "them."
)
_NO_STATUS = _(
    "HubSpot accepted the request, but its answer has no status: {from_} and {to} may not be "
    "linked."
)
_LINK_AGAIN = _("Link them again.")
_CHECK_RECORD = _(
    "Look at one of the two records in HubSpot. Linking again is safe: it changes nothing if the "
    "link is there."
)

_BY_CAUSE: dict[str, tuple[Text, Text]] = {
    Cause.CONFIRMED: (_("{from_} is now linked to {to}."), ""),
    Cause.IN_PROGRESS: (
        _(
            "HubSpot accepted the request but has not finished it: {from_} and {to} may not be "
            "linked yet."
        ),
        _CHECK_RECORD,
    ),
    Cause.NOT_SHOWN: (
        _(
            "HubSpot accepted the request, but its answer does not show the link from {from_} to "
            "{to}."
        ),
        _CHECK_RECORD,
    ),
    Cause.PARTLY_FAILED: (
        _(
            "HubSpot's answer contradicts itself: it shows a link from {from_} to {to} and an "
            "error."
        ),
        _CHECK_RECORD,
    ),
    Cause.UNKNOWN_STATUS: (_unknown_status, _CHECK_RECORD),
    Cause.UNREADABLE: (
        _(
            "HubSpot accepted the request, but its answer could not be read, so nothing proves the "
            "link from {from_} to {to}."
        ),
        _CHECK_RECORD,
    ),
    Cause.CANCELED_BY_HUBSPOT: (
        _("HubSpot canceled the request: {from_} and {to} were not linked."),
        _LINK_AGAIN,
    ),
    Cause.UNKNOWN_OBJECT_TYPE: (
        _("HubSpot does not know one of the object types: {from_type} and {to_type}."),
        _(
            "Check the types. A custom object goes by its id, such as 2-4001, and some types must "
            "be switched on in the account first."
        ),
    ),
    Cause.RECORD_NOT_FOUND: (
        _no_such_record,
        _(
            "Check the id at the end of the record's address. The record may also have been "
            "deleted or merged into another."
        ),
    ),
    Cause.NO_DEFAULT_TYPE: (
        _("HubSpot has no default way to link these two types: {from_type} and {to_type}."),
        _(
            "Check that both types are the ones you mean. If they are, an admin of HubSpot has to "
            "define an association between them."
        ),
    ),
    Cause.ASSOCIATION_LIMIT: (
        _(
            "{from_} and {to} were not linked: one of them has as many links of this kind as "
            "HubSpot allows."
        ),
        _(
            "Remove a link in HubSpot that is no longer needed, or ask an admin of HubSpot to "
            "raise the limit."
        ),
    ),
    Cause.SAME_RECORD: (
        _("{from_} and {to} are one record in HubSpot: they were merged. Nothing was linked."),
        _("Check the id at the end of each record's address."),
    ),
    Cause.REFUSED: (
        _("HubSpot refused to link {from_} to {to}."),
        _read_words,
    ),
    Cause.REDIRECTED: (
        _(
            "HubSpot was not reached: the configured address sent us to another one. Nothing was "
            "linked."
        ),
        _("The address of HubSpot's API has to be corrected."),
    ),
    Cause.TOKEN_REFUSED: (
        _("HubSpot does not accept this site's access token. Nothing was linked."),
        _("The token has to be replaced."),
    ),
    Cause.SCOPE_MISSING: (
        _("This site's access token may not do this in HubSpot. Nothing was linked."),
        _get_scopes,
    ),
    Cause.FORBIDDEN: (
        _("HubSpot does not allow this site to link {from_} to {to}. Nothing was linked."),
        _("Linking again will not help before this is repaired."),
    ),
    Cause.LOCKED: (
        _("HubSpot had this locked, and it stayed locked. Nothing was linked."),
        _("Link them again in a few seconds."),
    ),
    Cause.RATE_LIMITED: (
        _too_many_calls,
        _wait,
    ),
    Cause.DAILY_LIMIT: (
        _("HubSpot's daily limit of requests is used up. Nothing was linked."),
        _(
            "Link them again once the limit is reset, at midnight in the time zone of the HubSpot "
            "account."
        ),
    ),
    Cause.MIGRATING: (
        _("HubSpot is moving the account's data and takes no requests. Nothing was linked."),
        _wait,
    ),
    Cause.HUBSPOT_ERROR: (
        _("HubSpot had an error of its own. Whether {from_} and {to} are linked is not known."),
        _CHECK_RECORD,
    ),
    Cause.HUBSPOT_DOWN: (
        _(
            "HubSpot is not available at the moment. Whether {from_} and {to} are linked is not "
            "known."
        ),
        _(
            "Wait some minutes (status.hubspot.com says how HubSpot is). Look at one of the two "
            "records in HubSpot. Linking again is safe: it changes nothing if the link is there."
        ),
    ),
    Cause.TIMED_OUT: (
        _("HubSpot did not answer in time. Whether {from_} and {to} are linked is not known."),
        _CHECK_RECORD,
    ),
    Cause.CONNECTION_LOST: (
        _(
            "The connection to HubSpot broke before its answer had come. Whether {from_} and {to} "
            "are linked is not known."
        ),
        _CHECK_RECORD,
    ),
    Cause.INTERRUPTED: (
        _(
            "This site was interrupted before it had noted HubSpot's answer. Whether {from_} and "
            "{to} are linked is not known."
        ),
        _CHECK_RECORD,
    ),
    Cause.NO_CONNECTION: (
        _("HubSpot could not be reached. Nothing was sent, so {from_} and {to} were not linked."),
        _("Link them again in some minutes (status.hubspot.com says how HubSpot is)."),
    ),
    Cause.NOT_SENT: (
        _(
            "Nothing was sent for {from_} and {to}, so they were not linked: the run was canceled "
            "before their turn, or they were not to be sent any more when it came."
        ),
        _("If they are to be linked after all, link them by the form or in another run."),
    ),
    Cause.ACCESS_ENDED: (
        _(
            "Whoever asked for it had signed out or lost their access before it could be sent, so "
            "{from_} and {to} were not linked."
        ),
        _("If they are to be linked after all, link them by the form."),
    ),
}
