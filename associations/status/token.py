"""Whether HubSpot accepts the token, and for which portal."""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial

from django.conf import settings
from django.utils.translation import gettext

from associations.gateway.parallel import at_once
from associations.hubspot import lookups
from associations.hubspot.outcomes import Cause
from associations.status.report import Level, Line, Look, look, told, trouble

# The token is good: it only may not see the account's details.
_NOT_ALLOWED = (Cause.SCOPE_MISSING, Cause.FORBIDDEN)


@dataclass(frozen=True, slots=True)
class Shown:
    """What HubSpot shows now: an Account, a Token, a Usage; each of them may be missing."""

    account: Look
    token: Look
    usage: Look

    @property
    def portal_id(self) -> str:
        told_by = (self.account.value, self.token.value)
        return next((each.portal_id for each in told_by if each and each.portal_id), "")


def look_at_hubspot() -> Shown:
    """Ask HubSpot all of it at the same time; it takes no longer than the slowest answer may."""
    asked = (lookups.account, lookups.token_scopes, lookups.usage)
    return Shown(*at_once(*(partial(look, each) for each in asked)))


def account_lines(shown: Shown) -> Iterator[Line]:
    yield _token_line(shown)
    yield _portal_line(shown.portal_id, settings.HUBSPOT_PORTAL_ID)


def _token_line(shown: Shown) -> Line:
    error = shown.account.error
    if error and error.cause not in _NOT_ALLOWED:
        return trouble(error)
    if not shown.portal_id:
        text = gettext("HubSpot accepts this site's access token, but does not tell its portal.")
        return Line(Level.WELL, text)
    text = gettext("HubSpot accepts this site's access token. It is for portal {portal}.")
    return Line(Level.WELL, told(text, portal=shown.portal_id))


def _portal_line(portal: str, configured: str) -> Line:
    if not portal:
        return _unknown_portal(configured)
    if not configured:
        text = gettext(
            "<code>HUBSPOT_PORTAL_ID</code> is not set, so the pages of the log do not link to the "
            "records."
        )
        return Line(
            Level.WARNING, told(text), _set_portal(portal), (f"HUBSPOT_PORTAL_ID={portal}",)
        )
    if configured != portal:
        text = gettext(
            "<code>HUBSPOT_PORTAL_ID</code> is {configured}, but the access token is for portal "
            "{portal}: links to records lead into another account."
        )
        text = told(text, configured=configured, portal=portal)
        return Line(Level.WRONG, text, _set_portal(portal), (f"HUBSPOT_PORTAL_ID={portal}",))
    text = gettext("<code>HUBSPOT_PORTAL_ID</code> is set to that portal.")
    return Line(Level.WELL, told(text))


def _unknown_portal(configured: str) -> Line:
    if configured:
        text = gettext(
            "<code>HUBSPOT_PORTAL_ID</code> is {configured}. Whether the access token is for that "
            "portal is not known."
        )
        return Line(Level.UNKNOWN, told(text, configured=configured))
    text = gettext(
        "<code>HUBSPOT_PORTAL_ID</code> is not set, and HubSpot does not tell which it should be."
    )
    advice = gettext(
        "Set it to the number behind /contacts/ in the address of any record, and restart this "
        "site. The pages then link to the records."
    )
    return Line(Level.WARNING, told(text), advice)


def _set_portal(portal: str) -> str:
    text = gettext(
        "Set <code>HUBSPOT_PORTAL_ID</code> to {portal}, and restart this site. If {portal} is not "
        "the portal that you mean, change the token instead."
    )
    return told(text, portal=portal)
