"""Plain language for a look at HubSpot that showed nothing: why. Who can help: remedies.py."""

from collections.abc import Iterable

from django.utils.translation import gettext, ngettext
from django.utils.translation import gettext_lazy as _

from associations.hubspot.answers import missing_scopes_in
from associations.hubspot.client import ReadError
from associations.hubspot.outcomes import Cause
from associations.hubspot.search import NoTurnError
from associations.hubspot.unseen import visible

_REASONS = {
    Cause.NO_CONNECTION: _("HubSpot could not be reached."),
    Cause.CONNECTION_LOST: _("The connection to HubSpot broke before its answer had come."),
    Cause.TIMED_OUT: _("HubSpot did not answer in time."),
    Cause.HUBSPOT_DOWN: _("HubSpot is not available at the moment."),
    Cause.HUBSPOT_ERROR: _("HubSpot had an error of its own."),
    # By HubSpot, or by a limit of this site's own.
    Cause.RATE_LIMITED: _("No more can be asked of HubSpot for the moment."),
    Cause.LOCKED: _("HubSpot has this locked for the moment."),
    Cause.MIGRATING: _("HubSpot is moving the account's data and takes no requests."),
    Cause.DAILY_LIMIT: _("HubSpot's daily limit of requests is used up."),
    Cause.TOKEN_REFUSED: _("HubSpot does not accept this site's access token."),
    Cause.FORBIDDEN: _("HubSpot does not let this site read it."),
    Cause.UNKNOWN_OBJECT_TYPE: _("HubSpot does not know one of the object types."),
    Cause.RECORD_NOT_FOUND: _("HubSpot has no such record."),
    Cause.SAME_RECORD: _("For HubSpot the two are one record."),
    Cause.NO_DEFAULT_TYPE: _("HubSpot has no default way to link these two types."),
    Cause.UNREADABLE: _("HubSpot's answer could not be read."),
    Cause.NOT_SHOWN: _(
        "A record has more links than HubSpot shows at once, or the link was just being changed."
    ),
    Cause.MERGED: _("HubSpot has one of the records under another id since."),
    Cause.REDIRECTED: _("The configured address of HubSpot's API is wrong."),
    Cause.ACCESS_ENDED: _("Whoever asked for it had signed out or lost their access."),
}


def reason_of(cause: str, scopes: Iterable[str] = (), said: str = "") -> str:
    """Return in a sentence why HubSpot did not show something."""
    if cause == Cause.SCOPE_MISSING:
        named = ", ".join(scopes)
        if named:
            text = gettext("This site's access token may not look this up: it lacks %(scopes)s.")
            return text % {"scopes": named}
        return gettext("This site's access token may not read the records.")
    if cause in _REASONS:
        return str(_REASONS[Cause(cause)])
    if said:
        return gettext("HubSpot did not show it: %(said)s") % {"said": visible(said)}
    return gettext("HubSpot did not show it.")


def reason_of_error(error: ReadError) -> str:
    answer = error.answer
    if isinstance(error, NoTurnError):
        return gettext("All searches that this site allows itself within a second are in use.")
    if error.cause is Cause.RATE_LIMITED and answer.http_status is None:
        return gettext("All calls that this site allows itself within ten seconds are in use.")
    return reason_of(error.cause, missing_scopes_in(answer.errors), answer.error_text)


def reasons_of(errors: Iterable[ReadError]) -> list[str]:
    """Return the reason of each, and none of them twice."""
    return list(dict.fromkeys(map(reason_of_error, errors)))


def looks_used_up(seconds: int) -> str:
    """Return what stands in the place of what somebody asked for who has asked for too much."""
    text = ngettext(
        "You have looked up a lot within a minute. This site looks up more in {seconds} second.",
        "You have looked up a lot within a minute. This site looks up more in {seconds} seconds.",
        seconds,
    )
    return text.format(seconds=seconds)
