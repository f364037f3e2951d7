"""Plain language for how an undo ended; for all other entries that is in outcomes.py."""

from datetime import datetime
from typing import TYPE_CHECKING, Any

from django.utils.functional import Promise
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from associations.hubspot.outcomes import Cause, Linked, Outcome, verdict_of
from associations.hubspot.sanitizing import keyed, listed
from associations.hubspot.unseen import visible
from associations.texts.labels import word_for
from associations.texts.lookup_errors import reason_of

if TYPE_CHECKING:
    from associations.models import AssociationRequest

_AGAIN = _("Undo it again, from the page of the entry.")
_IF_STILL = _("If it is still to be undone, do so from the page of the entry.")
_LOOK = _("Look at one of the two records in HubSpot, or check again.")
_BY_HAND = _("Whoever may change it in HubSpot can remove the link there, on either record's page.")
_BY_CAUSE: dict[str, tuple[Promise, Promise | str]] = {
    Cause.SEEN_GONE: (_("{from_} is no longer linked to {to}: it was undone."), ""),
    Cause.STILL_LINKED: (
        _("HubSpot answered that {from_} is no longer linked to {to}, but they are linked."),
        _("Somebody may have linked them again. Look at one of the two records in HubSpot."),
    ),
    Cause.NOT_SEEN_GONE: (
        _("HubSpot answered that {from_} is no longer linked to {to}; nobody has seen it yet."),
        _LOOK,
    ),
    Cause.ALREADY_GONE: (
        _("{from_} was no longer linked to {to} when it was to be undone. Nothing was sent."),
        "",
    ),
    Cause.NOT_ALONE: (
        _(
            "{from_} is linked to {to} in other ways, too, and HubSpot would remove them all. "
            "Nothing was sent."
        ),
        _BY_HAND,
    ),
    Cause.MERGED: (
        _(
            "{from_} or {to} was merged with another record since, which may have been linked, "
            "too. Nothing was sent."
        ),
        _BY_HAND,
    ),
    Cause.NOT_SEEN_ALONE: (
        _("How {from_} is linked to {to} could not be looked up before. Nothing was sent."),
        _AGAIN,
    ),
}
_OPEN = {
    Outcome.SENDING: _("Removing the link from {from_} to {to} …"),
    Outcome.QUEUED: _("{from_} and {to} wait for their turn to be unlinked again."),
}
_REASONS = {
    Cause.REFUSED: _("HubSpot refused it."),
    Cause.FORBIDDEN: _("HubSpot does not allow this site to do this."),
    Cause.SCOPE_MISSING: _("This site's access token may not do this in HubSpot."),
    Cause.INTERRUPTED: _("This site was interrupted before it had noted HubSpot's answer."),
    Cause.IN_PROGRESS: _("HubSpot accepted the request but has not finished it."),
    Cause.CANCELED_BY_HUBSPOT: _("HubSpot canceled the request."),
    Cause.NOT_SENT: _(
        "Nothing was sent: the run was canceled before their turn, or they were not to be undone "
        "any more when it came."
    ),
}


def texts_of(entry: "AssociationRequest") -> tuple[Promise | str, Promise | str]:
    """Return the sentence for an undo, and the next step; both with places for the records."""
    if entry.is_open:
        return _OPEN[Outcome(entry.outcome)], ""
    if entry.cause in _BY_CAUSE:
        return _BY_CAUSE[entry.cause]
    verdict = verdict_of(entry.cause)
    is_known = verdict is not None and verdict.linked is Linked.NO
    reason = str(_REASONS.get(Cause(entry.cause)) if verdict else "") or reason_of(entry.cause)
    if is_known:
        text = gettext("{reason} The link from {from_} to {to} was not removed.")
        next_step = _IF_STILL if entry.cause == Cause.NOT_SENT else _AGAIN
        return text.replace("{reason}", reason), next_step
    text = gettext("{reason} Whether the link from {from_} to {to} was removed is not known.")
    return text.replace("{reason}", reason), _LOOK


def verification_of(entry: "AssociationRequest") -> str:
    """Say what the looks before and after showed, and what may have gone with the link."""
    if entry.cause == Cause.SEEN_GONE:
        return _in_between(entry)
    if entry.verified:
        return gettext("The link was gone when it was looked up afterwards: by somebody else.")
    if entry.verified is False:
        return _still_there(entry)
    if entry.unverified_cause:
        reason = {"reason": reason_of(entry.unverified_cause)}
        return gettext("It was not verified: %(reason)s") % reason
    return ""


def _in_between(entry: "AssociationRequest") -> str:
    """HubSpot tells nobody what it removes, and nobody can look at the very moment."""
    before, after = (_moment(each) for each in (entry.links_before, entry.links_after))
    if before is None or after is None:
        # The call was made by a worker that has died since, or its own look afterwards failed.
        return gettext(
            "This site removes a link only once it has seen the default type alone link the two. "
            "If anybody else linked them in another way after that, that is gone as well."
        )
    text = gettext(
        "Right before, they were linked by the default type alone. If anybody else linked them in "
        "another way within the {count} ms until the link was seen gone, that is gone as well."
    )
    return text.format(count=round((after - before).total_seconds() * 1000))


def _still_there(entry: "AssociationRequest") -> str:
    labels = labels_in(entry.links_after)
    if not labels:
        return gettext("They were linked when it was looked up afterwards.")
    text = gettext("They were linked when it was looked up afterwards, as: {labels}.")
    return text.format(labels=", ".join(labels))


def _moment(links: dict[str, Any]) -> datetime | None:
    try:
        return datetime.fromisoformat(str(links.get("at")))
    except ValueError:
        return None


def labels_in(links: dict[str, Any]) -> list[str]:
    types = [*listed(links.get("there")), *listed(links.get("back"))]
    labels = (each.get("label") for each in map(keyed, types))
    return list(dict.fromkeys(str(each) for each in labels if each))


def types_seen(links: dict[str, Any]) -> str:
    """Return in a few words by which types a look saw two records linked."""
    types = [keyed(each) for each in (*listed(links.get("there")), *listed(links.get("back")))]
    if not types:
        return word_for("no")
    is_default = [gettext("by the default type")] * any(not each.get("label") for each in types)
    return visible(", ".join([*is_default, *labels_in(links)]))
