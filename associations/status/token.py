"""Whether HubSpot accepts the token, and for which portal."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from functools import partial

from django.conf import settings
from django.utils.formats import date_format
from django.utils.translation import gettext, ngettext

from associations.gateway import clients
from associations.gateway.cache import run_concurrently
from associations.hubspot import lookups
from associations.hubspot.answers import missing_scopes_in
from associations.hubspot.client import SUPPORT_ENDS, HubSpotClient, ReadError
from associations.hubspot.outcomes import Cause
from associations.hubspot.sanitizing import json_object, keyed
from associations.hubspot.scopes import has_scope, scopes_for
from associations.models import (
    AssociationAttempt,
    AssociationBatch,
    AssociationRequest,
    EventKind,
    NoticeEvent,
    SecurityEvent,
)
from associations.models.readable import read_rows, readable_only, with_readable
from associations.status.report import (
    Item,
    Level,
    Reading,
    html,
    look,
    not_known,
    trouble,
    two_sentences,
)

# The token is good: it only may not see the account's details.
NOT_ALLOWED = (Cause.SCOPE_MISSING, Cause.FORBIDDEN)
_REFUSALS = (Cause.REFUSED, Cause.RECORD_NOT_FOUND, Cause.FORBIDDEN, Cause.TOKEN_REFUSED)


@dataclass(frozen=True, slots=True)
class Shown:
    """What HubSpot shows now: an Account, a Token, a Usage; each of them may be missing."""

    account: Reading
    token: Reading
    usage: Reading
    last_date: tuple[str, datetime] | None  # of the latest answer, and when it came

    @property
    def portal_id(self) -> str:
        told_by = (self.account.value, self.token.value)
        return next((each.portal_id for each in told_by if each and each.portal_id), "")


def look_at_hubspot(client: HubSpotClient | None = None) -> Shown:
    """Ask HubSpot all of it at the same time; it takes no longer than the slowest answer may."""
    client = client or clients.looking()
    asked = (lookups.account, lookups.token_scopes, lookups.usage)
    account, token, usage = run_concurrently(*(partial(look, each, client) for each in asked))
    return Shown(account, token, usage, client.last_date)


def is_not_told(shown: Shown, error: ReadError | None) -> bool:
    """Whether HubSpot takes the key, but does not tell what was asked of keys of its kind.

    How it answers for a service key is not documented: any refusal will do, or an answer without.
    """
    account = shown.account.error
    is_taken = account is None or account.cause in NOT_ALLOWED
    return is_taken and (error is None or error.cause in _REFUSALS)


def _is_refused(shown: Shown) -> bool:
    error = shown.account.error
    return error is not None and error.cause is Cause.TOKEN_REFUSED


def account_lines(shown: Shown) -> Iterator[Item]:
    yield _token_line(shown)
    yield _portal_line(shown.portal_id, settings.HUBSPOT_PORTAL_ID)


def _token_line(shown: Shown) -> Item:
    error = shown.account.error
    if error and error.cause not in NOT_ALLOWED:
        return trouble(error)
    if not shown.portal_id:
        text = gettext("HubSpot accepts this site's access token, but does not tell its portal.")
        return Item(Level.WELL, text)
    text = gettext("HubSpot accepts this site's access token. It is for portal {portal}.")
    return Item(Level.WELL, html(text, portal=shown.portal_id))


def _portal_line(portal: str, configured: str) -> Item:
    if not portal:
        return _unknown_portal(configured)
    if not configured:
        text = gettext(
            "<code>HUBSPOT_PORTAL_ID</code> is not set, so the pages of the log do not link to the "
            "records."
        )
        return Item(
            Level.WARNING, html(text), _set_portal(portal), (f"HUBSPOT_PORTAL_ID={portal}",)
        )
    if configured != portal:
        text = gettext(
            "<code>HUBSPOT_PORTAL_ID</code> is {configured}, but the access token is for portal "
            "{portal}: links to records lead into another account."
        )
        text = html(text, configured=configured, portal=portal)
        return Item(Level.WRONG, text, _set_portal(portal), (f"HUBSPOT_PORTAL_ID={portal}",))
    text = gettext("<code>HUBSPOT_PORTAL_ID</code> is {portal}, the portal of the access token.")
    return Item(Level.WELL, html(text, portal=portal))


def _unknown_portal(configured: str) -> Item:
    if configured:
        text = gettext(
            "<code>HUBSPOT_PORTAL_ID</code> is {configured}. Whether the access token is for that "
            "portal is not known."
        )
        return Item(Level.UNKNOWN, html(text, configured=configured))
    text = gettext(
        "<code>HUBSPOT_PORTAL_ID</code> is not set, and HubSpot does not tell which it should be."
    )
    advice = gettext(
        "Set it to the number behind /contacts/ in the address of any record, and restart this "
        "site. The pages then link to the records."
    )
    return Item(Level.WARNING, html(text), advice)


def _set_portal(portal: str) -> str:
    text = gettext(
        "Set <code>HUBSPOT_PORTAL_ID</code> to {portal}, and restart this site. If {portal} is not "
        "the portal that you mean, change the token instead."
    )
    return html(text, portal=portal)


_TYPES = ("from_object_type", "to_object_type")
LATELY = 1_000  # entries, the newest: their types are in use here
REFUSED_DAYS, REFUSED_ENTRIES = 7, 100
STOPPED_RUNS = 10  # the newest, whose refused calls are read
ALWAYS = frozenset({"contacts", "companies", "deals", "tickets"})
SCHEMAS = "crm.schemas.custom.read"


def scope_lines(shown: Shown, now: datetime) -> Iterator[Item]:
    token = shown.token.value
    if token and token.scopes is not None and not _is_refused(shown):
        yield from _compared(token.scopes, types_used_lately())
        return
    refused = _refused_line(*refused_scopes(now - timedelta(days=REFUSED_DAYS)))
    if is_not_told(shown, shown.token.error) and refused.level is Level.WELL:
        # What counts is known: nothing was refused.
        yield Item(Level.WELL, two_sentences(_for_keys_of_this_kind(), refused.text))
    else:
        yield _not_told(shown)
        yield refused


def types_used_lately() -> set[str]:
    """Return the types of the newest entries, in canonical form."""
    newest = with_readable(AssociationRequest.objects.newest_first(), *_TYPES)
    pairs = newest.values_list(*_TYPES)[:LATELY]
    return {object_type for pair in pairs for object_type in pair}


def refused_scopes(since: datetime) -> tuple[bool, list[str]]:
    """Return whether HubSpot refused requests for want of a scope, and which ones it named."""
    refused = AssociationRequest.objects.filter(
        http_status=403, cause=Cause.SCOPE_MISSING, created_at__gte=since
    )
    found = readable_only(read_rows(refused.newest_first().only("errors")[:REFUSED_ENTRIES]))
    named = {scope for entry in found for scope in missing_scopes_in(entry.errors)}
    stops = _runs_stopped_for_scopes(since)
    return bool(found or stops), sorted(named.union(*map(_scopes_refused_to, stops)))


def _runs_stopped_for_scopes(since: datetime) -> list[int]:
    """Those that paused by themselves: their rows stay open, and no entry tells of the refusal."""
    stopped = SecurityEvent.objects.filter(what=EventKind.RUN_STOPPED, at__gte=since)
    events = readable_only(read_rows(stopped.order_by("-id")[:REFUSED_ENTRIES]))
    runs = [each.run_id for each in events if keyed(each.facts).get("cause") == Cause.SCOPE_MISSING]
    return list(dict.fromkeys(run for run in runs if run is not None))[:STOPPED_RUNS]


def _scopes_refused_to(run: int) -> set[str]:
    """The scopes that HubSpot named when it refused calls of this run."""
    batches = AssociationBatch.objects.filter(run=run, cause=Cause.SCOPE_MISSING)
    attempts = AssociationAttempt.objects.filter(request__run=run, http_status=403)
    bodies = [
        text
        for found in (with_readable(batches, "body"), with_readable(attempts, "body"))
        for text in found.order_by("-id").values_list("body", flat=True)[:1]
    ]
    return {scope for text in bodies for scope in missing_scopes_in([json_object(text) or {}])}


def _compared(granted: frozenset[str], used: set[str]) -> Iterator[Item]:
    in_use, further = scopes_for(used), scopes_for({*ALWAYS})
    lacking = sorted(scope for scope in in_use if not has_scope(granted, scope))
    unused = sorted(scope for scope in further - in_use if not has_scope(granted, scope))
    writing = [scope for scope in lacking if scope.endswith(".write")]
    reading = [scope for scope in lacking if scope not in writing]
    if writing:
        yield _lacking(Level.WRONG, _for_types_in_use(len(writing)), writing)
    if reading:
        yield _lacking(Level.WARNING, _for_looks(len(reading)), reading)
    if unused:
        yield _lacking(Level.WARNING, _for_further_types(len(unused)), unused)
    if not has_scope(granted, SCHEMAS):
        text = gettext("Custom objects show by their numbers: the token may not read their names.")
        yield _lacking(Level.WARNING, text, [SCHEMAS])
    elif not lacking and not unused:
        yield Item(Level.WELL, gettext("The token has every scope that this site uses."))


def _for_types_in_use(count: int) -> str:
    return ngettext(
        "The token lacks a scope for records that people here link: HubSpot refuses them.",
        "The token lacks scopes for records that people here link: HubSpot refuses them.",
        count,
    )


def _for_looks(count: int) -> str:
    return ngettext(
        "The token lacks a scope for looking at records: they are linked, but not verified.",
        "The token lacks scopes for looking at records: they are linked, but not verified.",
        count,
    )


def _for_further_types(count: int) -> str:
    return ngettext(
        "The token lacks a scope for records that nobody here has linked lately.",
        "The token lacks scopes for records that nobody here has linked lately.",
        count,
    )


def _lacking(level: Level, text: str, scopes: list[str]) -> Item:
    advice = gettext("Add it to the app or service key in HubSpot, under “Scopes”.")
    if len(scopes) > 1:
        advice = gettext("Add them to the app or service key in HubSpot, under “Scopes”.")
    event = NoticeEvent.SCOPE_MISSING if level is Level.WRONG else None
    return Item(level, text, advice, tuple(scopes), event)


def _not_told(shown: Shown) -> Item:
    if _is_refused(shown):
        text = gettext("Which scopes the token has is not known while HubSpot does not accept it.")
        return Item(Level.UNKNOWN, text)
    error = shown.token.error
    if error is None or is_not_told(shown, error):
        return Item(Level.UNKNOWN, _for_keys_of_this_kind())
    return not_known(gettext("Which scopes the token has is not known."), error)


def _for_keys_of_this_kind() -> str:
    return gettext("Which scopes it has is not told for keys of this kind.")


def _refused_line(is_any: bool, scopes: list[str]) -> Item:
    if not is_any:
        text = gettext("In the last {days} days no request was refused for want of a scope.")
        return Item(Level.WELL, html(text, days=REFUSED_DAYS))
    text = ngettext(
        "In the last {days} days HubSpot refused requests for want of a scope.",
        "In the last {days} days HubSpot refused requests for want of scopes.",
        len(scopes),
    )
    if not scopes:
        advice = gettext("HubSpot did not name them. Compare the token's scopes with README.")
        text = html(text, days=REFUSED_DAYS)
        return Item(Level.WRONG, text, advice, event=NoticeEvent.SCOPE_MISSING)
    return _lacking(Level.WRONG, html(text, days=REFUSED_DAYS), scopes)


DAYS_TO_PREPARE = 90
NEWEST_VERSION = max(SUPPORT_ENDS, key=lambda version: SUPPORT_ENDS[version])


def days_of_support(today: date) -> int:
    """Return for how many more days HubSpot supports the API version; below 0 it does not."""
    return (SUPPORT_ENDS[settings.HUBSPOT_API_VERSION] - today).days


def version_lines(today: date) -> Iterator[Item]:
    version, days = settings.HUBSPOT_API_VERSION, days_of_support(today)
    facts = {"version": version, "day": _end_of(version), "days": days}
    if days < 0:
        text = gettext("HubSpot supported API version {version}, which is in use, until {day}.")
        yield Item(Level.WRONG, html(text, **facts), _newer_than(version))
        return
    text = ngettext(
        "API version {version} is in use. HubSpot supports it until {day}: {days} more day.",
        "API version {version} is in use. HubSpot supports it until {day}: {days} more days.",
        days,
    )
    level = Level.WELL if days > DAYS_TO_PREPARE else Level.WARNING
    yield Item(level, html(text, **facts), _newer_than(version))


def _end_of(version: str) -> str:
    """A day for v4, for which HubSpot has named one; else the month, which is all that is known."""
    end = SUPPORT_ENDS[version]
    if version == "v4":
        return date_format(end)
    return gettext("about {month}").format(month=date_format(end, "YEAR_MONTH_FORMAT"))


def _newer_than(version: str) -> str:
    if version == NEWEST_VERSION:
        return gettext("Look for a version of hubadmin that knows a newer one before then.")
    text = gettext(
        "Try <code>HUBSPOT_API_VERSION={newest}</code> in a test account, then set it here and "
        "restart this site. Only the addresses of the calls change."
    )
    return html(text, newest=NEWEST_VERSION)
