"""Plain language for what was seen in HubSpot before and after a request."""

from django.utils.functional import Promise
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from associations.hubspot.outcomes import VERDICTS, Cause, Linked, Outcome
from associations.models import AssociationRequest
from associations.texts.lookup_errors import reason_of

WAS_LINKED = _("{from_} was already linked to {to}. Nothing has changed.")
SAID_TO_BE_LINKED = _("HubSpot answered that {from_} is now linked to {to}.")
IS_LINKED_AFTER_ALL = _(
    "{from_} is linked to {to}: HubSpot's answer did not prove it, but the link was there when it "
    "was looked up afterwards."
)
_WERE_LINKED = _("They were linked already before this request, and it changed nothing.")
_NOT_THERE = _(
    "The link was not there when it was looked up afterwards. HubSpot may need a moment: check "
    "again."
)


def better_known(entry: AssociationRequest) -> Promise | None:
    """Return the sentence for what was seen, where HubSpot's answer says less, or too much."""
    if not entry.cause or VERDICTS[Cause(entry.cause)].linked is Linked.NO:
        return None
    is_confirmed = entry.cause == Cause.CONFIRMED
    if entry.was_linked and (entry.verified or (is_confirmed and entry.verified is None)):
        return WAS_LINKED
    if is_confirmed:
        looked_in_vain = entry.verified is False or entry.unverified_cause
        return SAID_TO_BE_LINKED if looked_in_vain else None
    return IS_LINKED_AFTER_ALL if entry.verified else None


def verification_of(entry: AssociationRequest) -> str:
    """Return what was seen afterwards, if that is not what one expects; else nothing."""
    if entry.linked is Linked.NO and entry.was_linked:
        return str(_WERE_LINKED)
    if entry.verified is False:
        return str(_NOT_THERE)
    if entry.unverified_cause:
        reason = {"reason": reason_of(entry.unverified_cause)}
        if entry.outcome == Outcome.UNREACHABLE:
            return gettext("Looking it up afterwards was not possible either: %(reason)s") % reason
        return gettext("It was accepted, but not verified: %(reason)s") % reason
    return ""
