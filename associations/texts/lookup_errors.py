"""Plain language for a look at HubSpot that showed nothing: why, and who can help."""

from collections.abc import Iterable

from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from associations.hubspot.answers import missing_scopes_in
from associations.hubspot.client import ReadError
from associations.hubspot.outcomes import Cause

_SILENT = _("HubSpot could not be reached.")
_BUSY = _("HubSpot takes no more requests for the moment.")
_REASONS = {
    Cause.NO_CONNECTION: _SILENT,
    Cause.CONNECTION_LOST: _SILENT,
    Cause.TIMED_OUT: _("HubSpot did not answer in time."),
    Cause.HUBSPOT_DOWN: _("HubSpot is not available at the moment."),
    Cause.HUBSPOT_ERROR: _("HubSpot had an error of its own."),
    Cause.RATE_LIMITED: _BUSY,
    Cause.LOCKED: _BUSY,
    Cause.MIGRATING: _BUSY,
    Cause.DAILY_LIMIT: _("HubSpot's daily limit of requests is used up."),
    Cause.TOKEN_REFUSED: _("HubSpot does not accept this site's access token. Tell the admin."),
    Cause.FORBIDDEN: _("HubSpot does not let this site read it. Tell the admin."),
    Cause.UNKNOWN_OBJECT_TYPE: _("HubSpot does not know one of the object types."),
    Cause.UNREADABLE: _("HubSpot's answer could not be read."),
    Cause.NOT_SHOWN: _("Both records have more links than HubSpot shows at once."),
    Cause.REDIRECTED: _("The configured address of HubSpot's API is wrong. Tell the admin."),
}


def reason_of(cause: str, scopes: Iterable[str] = (), said: str = "") -> str:
    """Return in one or two sentences why HubSpot did not show something."""
    if cause == Cause.SCOPE_MISSING:
        named = ", ".join(scopes)
        if named:
            return gettext(
                "This site's access token may not read the records: it lacks %(scopes)s."
            ) % {"scopes": named}
        return gettext("This site's access token may not read the records.")
    if cause in _REASONS:
        return str(_REASONS[Cause(cause)])
    if said:
        return gettext("HubSpot refused: “%(said)s”.") % {"said": said}
    return gettext("HubSpot did not show it.")


def reasons_of(errors: Iterable[ReadError]) -> list[str]:
    """Return the reason of each, and none of them twice."""
    reasons = (
        reason_of(each.cause, missing_scopes_in(each.answer.errors), each.answer.error_text)
        for each in errors
    )
    return list(dict.fromkeys(reasons))
