"""Plain language for what was seen in HubSpot before and after a request."""

from django.utils.functional import Promise
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from .hubspot.outcomes import VERDICTS, Cause, Linked, Outcome
from .models import AssociationRequest
from .problems import reason_of

WAS_LINKED = _("{from_} was already linked to {to}. Nothing has changed.")
IS_LINKED_AFTER_ALL = _(
    "{from_} is linked to {to}: HubSpot's answer did not prove it, but the link was there when it "
    "was looked up afterwards."
)
_NOT_THERE = _(
    "The link was not there when it was looked up afterwards. HubSpot may need a moment: check "
    "again."
)


def better_known(entry: AssociationRequest) -> Promise | None:
    """Return the sentence for what was seen, where HubSpot's answer alone says less."""
    if entry.cause == Cause.CONFIRMED and entry.was_linked and entry.verified is not False:
        return WAS_LINKED
    in_doubt = entry.cause and VERDICTS[Cause(entry.cause)].linked is Linked.PERHAPS
    return IS_LINKED_AFTER_ALL if in_doubt and entry.verified else None


def verification_of(entry: AssociationRequest) -> str:
    """Return what was seen afterwards, if that is not what one expects; else nothing."""
    if entry.verified is False:
        return str(_NOT_THERE)
    if entry.unverified_cause:
        reason = {"reason": reason_of(entry.unverified_cause)}
        if entry.outcome == Outcome.UNREACHABLE:
            return gettext("Looking it up afterwards was not possible either: %(reason)s") % reason
        return gettext("It was accepted, but not verified: %(reason)s") % reason
    return ""
