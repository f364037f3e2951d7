"""Why an entry is not undone, in plain language, and what people can do instead."""

from typing import NamedTuple

from django.conf import settings
from django.utils.functional import Promise
from django.utils.html import escape
from django.utils.safestring import SafeString
from django.utils.translation import gettext, ngettext
from django.utils.translation import gettext_lazy as _

from associations.audit.throttling import ThrottledError
from associations.hubspot.unseen import visible
from associations.linking.undo import Bar, NotUndoableError
from associations.texts.lookup_errors import reason_of_error
from associations.texts.remedies import NOT_WRITTEN, helper_of, in_a_row, remedy_of


class WhyNot(NamedTuple):
    """`may_be_tried` is true where the same may be possible in a moment."""

    sentence: str
    next_step: SafeString | str
    may_be_tried: bool = False


_BY_HAND = _("Whoever may change it in HubSpot can remove the link there, on either record's page.")
_TEXTS: dict[Bar, tuple[Promise, Promise | str]] = {
    Bar.NOT_LINKED: (_("This entry has linked nothing, so there is nothing to undo."), ""),
    Bar.WAS_LINKED: (
        _("The two were linked before this entry, which changed nothing: it has nothing to undo."),
        _BY_HAND,
    ),
    Bar.NOT_KNOWN: (
        _("Whether the two were linked before this entry is not known, so it is not undone."),
        _BY_HAND,
    ),
    Bar.UNDER_WAY: (_("Somebody is undoing this entry just now."), ""),
    Bar.UNDONE: (_("This entry was undone."), ""),
    Bar.ASKED_AGAIN: (
        _("Somebody else has asked for the same link since, so it is not undone."),
        _BY_HAND,
    ),
    Bar.GONE: (_("The two are not linked in HubSpot any more: there is nothing to undo."), ""),
    Bar.MERGED: (
        _(
            "One of the two records was merged with another since, which may have been linked, "
            "too. So it is not undone."
        ),
        _BY_HAND,
    ),
    Bar.NOT_SEEN: (
        _("How the two are linked now could not be looked up, so nothing was sent."),
        "",
    ),
    Bar.NOT_ALONE: (
        _(
            "The two are linked in other ways, too ({labels}), and HubSpot would remove them all. "
            "So it is not undone."
        ),
        _BY_HAND,
    ),
}


def sentence_of(bar: str, labels: str = "") -> str:
    """Return why an entry is not undone; empty of what is not known here."""
    text, _next_step = _TEXTS.get(Bar(bar), ("", "")) if bar in {*Bar} else ("", "")
    return visible(str(text).replace("{labels}", labels))


def why_not(error: Exception, *, is_admin: bool) -> WhyNot:
    """Say why nothing was sent, by what the service has raised."""
    if isinstance(error, ThrottledError):
        return _too_many(error.wait_seconds)
    if not isinstance(error, NotUndoableError):
        sentence = gettext("The audit log cannot be written at the moment, so nothing was sent.")
        return WhyNot(sentence, helper_of(NOT_WRITTEN, is_admin=is_admin), may_be_tried=True)
    if error.bar is Bar.NOT_SEEN:
        return _not_seen(error, is_admin=is_admin)
    if error.bar is Bar.NOT_ALONE:
        return _not_alone(error)
    if error.bar is Bar.TOO_LATE:
        return too_late()
    return WhyNot(sentence_of(error.bar), str(_TEXTS[error.bar][1]))


def _too_many(seconds: int) -> WhyNot:
    sentence = gettext("You have sent or looked up a lot within a minute, so nothing was sent.")
    text = ngettext(
        "It can be undone in {count} second.", "It can be undone in {count} seconds.", seconds
    )
    return WhyNot(sentence, text.format(count=seconds), may_be_tried=True)


def _not_seen(error: NotUndoableError, *, is_admin: bool) -> WhyNot:
    sentence = sentence_of(Bar.NOT_SEEN)
    seen = error.look.error if error.look else None
    if seen is None:
        return WhyNot(sentence, "", may_be_tried=True)
    helper = helper_of(remedy_of(seen.cause), is_admin=is_admin)
    told = in_a_row([escape(visible(reason_of_error(seen))), helper])
    return WhyNot(sentence, told, may_be_tried=True)


def _not_alone(error: NotUndoableError) -> WhyNot:
    types = error.look.types if error.look else None
    labels = ", ".join(types.labels) if types else ""
    return WhyNot(sentence_of(Bar.NOT_ALONE, labels), str(_BY_HAND))


def too_late() -> WhyNot:
    text = ngettext(
        "People can undo what they have linked for {count} hour; an admin can undo this later.",
        "People can undo what they have linked for {count} hours; an admin can undo this later.",
        settings.UNDO_HOURS,
    )
    return WhyNot(text.format(count=settings.UNDO_HOURS), "")
