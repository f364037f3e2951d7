"""What must be right about HubSpot, the audit log and bulk runs before hubadmin serves."""

import re
from collections.abc import Iterable
from itertools import chain
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.checks import CheckMessage, Error, Info, Tags, Warning, register
from django.db import connections

from associations.audit.integrity import schema_rights, signing, timestamp_authority
from associations.audit.integrity import timestamps as proven_times
from associations.gateway import rate_limiter
from associations.gateway.clients import BULK_BATCH
from associations.hubspot.client import OBJECT_PATHS, SUPPORT_ENDS
from associations.models import NoticeEvent
from associations.models.bulk import SendMode
from associations.notices.webhooks import BODIES
from hubadmin.web.http import LOOPBACK, VISIBLE_ASCII, is_safe_address

LIMITS = (
    *("SUBMITS_PER_PERSON_PER_MINUTE", "FINDS_PER_PERSON_PER_HOUR"),
    *("HUBSPOT_SEARCHES_PER_SECOND", "BULK_APPROVAL_ROWS"),
)
SHORTEST_SECRET = 16  # characters
AT_LEAST_ONE = (
    *("BULK_MAX_ROWS", "BULK_MAX_BYTES", "BULK_KEEP_DAYS", "UNDO_HOURS"),
    *("BULK_APPROVAL_HOURS", "BULK_ROW_PATIENCE_SECONDS", "WORKER_PROCESSES", "SWEEP_DAYS"),
)


@register
def api_version(**kwargs: Any) -> Iterable[CheckMessage]:
    version = settings.HUBSPOT_API_VERSION
    if version not in OBJECT_PATHS:
        known = ", ".join(OBJECT_PATHS)
        yield Error(
            f"HUBSPOT_API_VERSION is {version!r}; it must be one of {known}.", id="hubadmin.E001"
        )
    elif version == "v4":
        yield Info(
            f"HubSpot ends its support of API version v4 on {SUPPORT_ENDS['v4']:%d %B %Y}.",
            hint="Set HUBSPOT_API_VERSION=2026-09 when you have tried it.",
            id="hubadmin.I001",
        )


@register(deploy=True)
def access_token(**kwargs: Any) -> Iterable[CheckMessage]:
    token = settings.HUBSPOT_ACCESS_TOKEN
    if not token:
        yield Error("HUBSPOT_ACCESS_TOKEN is not set.", id="hubadmin.E003")
    elif not VISIBLE_ASCII.issuperset(token):
        yield Error(
            "HUBSPOT_ACCESS_TOKEN holds a space, a line break or another character that no token "
            "has.",
            id="hubadmin.E004",
        )


@register(deploy=True)
def way_to_hubspot(**kwargs: Any) -> Iterable[CheckMessage]:
    if not is_safe_address(settings.HUBSPOT_API_BASE_URL):
        yield Error(
            f"HUBSPOT_API_BASE_URL is {settings.HUBSPOT_API_BASE_URL!r}; it must be an https "
            "address, or the token would travel in the clear.",
            id="hubadmin.E006",
        )
    bundle, proxy = settings.HUBSPOT_CA_BUNDLE, settings.HUBSPOT_PROXY_URL
    if bundle and not Path(bundle).exists():
        yield Error(f"HUBSPOT_CA_BUNDLE is {bundle!r}; there is no such file.", id="hubadmin.E007")
    if proxy and not re.match(r"https?://[^/\s]+", proxy):
        yield Error(
            f"HUBSPOT_PROXY_URL is {proxy!r}; it must be like http://proxy.example.com:3128.",
            id="hubadmin.E008",
        )


@register(deploy=True)
def audit_keys(**kwargs: Any) -> Iterable[CheckMessage]:
    try:
        if not signing.trusted_keys():
            yield Error(
                "Neither AUDIT_SIGNING_KEY nor AUDIT_PUBLIC_KEYS is set: nothing could prove the "
                "audit log. `manage.py make_audit_key` makes a pair.",
                id="hubadmin.E011",
            )
    except signing.SigningKeyError as error:
        yield Error(str(error), id="hubadmin.E012")


@register(deploy=True)
def timestamps(**kwargs: Any) -> Iterable[CheckMessage]:
    url, user = settings.AUDIT_TSA_URL, settings.AUDIT_TSA_USER
    if url and not re.fullmatch(r"https?://[^/\s@]+(/\S*)?", url):
        yield Error(
            "AUDIT_TSA_URL is no address: it must be like https://tsa.example.com/tsr. A name and "
            "a password have settings of their own.",
            id="hubadmin.E060",
        )
    if user and not (settings.AUDIT_TSA_PASSWORD and url.startswith("https:")):
        yield Error(
            "AUDIT_TSA_USER needs AUDIT_TSA_PASSWORD, and AUDIT_TSA_URL to be an https address.",
            id="hubadmin.E061",
        )
    if url or settings.AUDIT_TSA_CA:
        try:
            timestamp_authority.authorities()
        except timestamp_authority.AuthorityError as error:
            yield Error(f"{error}.", id="hubadmin.E062")
    try:
        proven_times.beginning()
    except ValueError:
        yield Error(
            f"AUDIT_TSA_SINCE is {settings.AUDIT_TSA_SINCE!r}; it must be a day like 2026-11-29.",
            id="hubadmin.E063",
        )


@register(deploy=True)
def limits(**kwargs: Any) -> Iterable[CheckMessage]:
    for name in LIMITS:
        if getattr(settings, name) < 0:
            yield Error(f"{name} is below 0; 0 means no limit.", id="hubadmin.E009")


@register(deploy=True)
def bulk_runs(**kwargs: Any) -> Iterable[CheckMessage]:
    if settings.BULK_WAY not in SendMode.values:
        ways = " or ".join(SendMode.values)
        yield Error(f"BULK_WAY is {settings.BULK_WAY!r}; it must be {ways}.", id="hubadmin.E013")
    for name in AT_LEAST_ONE:
        if (value := getattr(settings, name)) < 1:
            yield Error(f"{name} is {value}; it must be at least 1.", id="hubadmin.E014")
    lease, longest = settings.BULK_LEASE_SECONDS, round(BULK_BATCH.total)
    if lease <= longest:
        yield Warning(
            f"BULK_LEASE_SECONDS is {lease}; a call to HubSpot may last {longest} seconds, and "
            "meanwhile another worker would send the same rows.",
            id="hubadmin.W001",
        )


@register(deploy=True)
def sweep(**kwargs: Any) -> Iterable[CheckMessage]:
    if not 0 <= (percent := settings.SWEEP_QUOTA_PERCENT) <= 100:
        yield Error(
            f"SWEEP_QUOTA_PERCENT is {percent}; it must be from 0 (nothing is swept) to 100.",
            id="hubadmin.E019",
        )


KINDS = ("email", *BODIES)
_MAIL = re.compile(r"[^@\s,;<>]+@[^@\s,;<>]+")


@register(deploy=True)
def notices(**kwargs: Any) -> Iterable[CheckMessage]:
    """Addresses are secrets: receivers are named, not shown."""
    receivers = settings.NOTICE_RECEIVERS
    for problem in chain.from_iterable(map(_problems_of, receivers)):
        yield Error(f"NOTICE_RECEIVERS: {problem}", id="hubadmin.E050")
    names = [each.name for each in receivers]
    for name in sorted({each for each in names if names.count(each) > 1}):
        yield Error(f"NOTICE_RECEIVERS: two receivers are called {name}.", id="hubadmin.E050")
    if receivers and not is_safe_address(settings.SITE_URL):
        yield Error(
            "SITE_URL is not set, or no https address: notices lead to this site's pages by it. "
            "It is like https://hubadmin.example.com.",
            id="hubadmin.E051",
        )
    kinds = {each.kind for each in receivers}
    if "json" in kinds and len(settings.NOTICE_SIGNING_SECRET) < SHORTEST_SECRET:
        yield Error(
            "NOTICE_SIGNING_SECRET is not set, or too short: receivers of the kind json know by it "
            f"whose notices these are. It takes {SHORTEST_SECRET} characters or more.",
            id="hubadmin.E052",
        )
    if "email" in kinds and not settings.EMAIL_HOST:
        yield Error(
            "EMAIL_URL is not set, and NOTICE_RECEIVERS has e-mail addresses. It is like "
            "smtp+tls://user:password@mail.example.com:587.",
            id="hubadmin.E053",
        )
    is_clear = not (settings.EMAIL_USE_TLS or settings.EMAIL_USE_SSL)
    if settings.EMAIL_HOST_PASSWORD and is_clear and settings.EMAIL_HOST not in LOOPBACK:
        yield Error(
            "EMAIL_URL would send its password in the clear; use smtp+tls:// or smtp+ssl://.",
            id="hubadmin.E054",
        )
    for name in sorted({*settings.NOTICE_PRIVATE_RECEIVERS} - {*names}):
        yield Error(
            f"NOTICE_PRIVATE_RECEIVERS names {name!r}, which NOTICE_RECEIVERS does not.",
            id="hubadmin.E050",
        )


def _problems_of(receiver: Any) -> Iterable[str]:
    name = receiver.name
    if not re.fullmatch(r"[A-Za-z0-9._-]{1,40}", name):
        # It may be an address that stands in the wrong place.
        yield "a name has a character other than a to z, 0 to 9, “.”, “_” and “-”, or 40 of them."
        return
    if receiver.kind not in KINDS:
        yield f"{name} has no kind that there is; these are {', '.join(KINDS)}."
    elif receiver.kind == "email" and not _MAIL.fullmatch(receiver.address):
        yield f"the e-mail address of {name} is none."
    elif receiver.kind != "email" and not is_safe_address(receiver.address):
        yield f"the address of {name} is no https address."
    events = [event for event in NoticeEvent.values if event != NoticeEvent.TEST]
    for event in sorted(receiver.events - {*events}):
        # It may be an address as well.
        shown = repr(event) if re.fullmatch(r"[a-z0-9_]{1,30}", event) else "that there is not"
        yield f"{name} wants an event {shown}; there are: {', '.join(events)}."
    if receiver.further:
        yield f"{name} has more than a name, a kind, an address and events, joined by commas."


@register(deploy=True)
def shared_limit(**kwargs: Any) -> Iterable[CheckMessage]:
    calls, people = settings.HUBSPOT_CALLS_PER_10_SECONDS, settings.HUBSPOT_CALLS_FOR_PEOPLE
    if calls < 0 or people < 0:
        yield Error(
            "HUBSPOT_CALLS_PER_10_SECONDS and HUBSPOT_CALLS_FOR_PEOPLE must not be below 0.",
            id="hubadmin.E015",
        )
    elif calls and people >= calls:
        yield Error(
            f"HUBSPOT_CALLS_FOR_PEOPLE is {people}; it must be less than "
            f"HUBSPOT_CALLS_PER_10_SECONDS ({calls}), or no call is left for bulk runs.",
            id="hubadmin.E016",
        )


@register(deploy=True)
def broker(**kwargs: Any) -> Iterable[CheckMessage]:
    """The address may hold a password, so it is not shown."""
    try:
        if settings.WORKER_BROKER_URL:
            import redis  # it takes a while, and most do without

            redis.from_url(settings.WORKER_BROKER_URL)
    except ValueError:
        yield Error(
            "WORKER_BROKER_URL is no address of Redis; one is like redis://redis.example.com:6379/0.",
            id="hubadmin.E017",
        )


@register(deploy=True)
def files(**kwargs: Any) -> Iterable[CheckMessage]:
    """What hubadmin makes is its own account's; a file may be older than that, or a copy."""
    database = settings.DATABASES["default"]
    if settings.DEMO or not database["ENGINE"].endswith("sqlite3"):
        return
    file = Path(database["NAME"])
    for base in (file, rate_limiter.file_beside(file)):
        for each in (base, Path(f"{base}-wal"), Path(f"{base}-shm")):
            if each.exists() and each.stat().st_mode & 0o077:
                yield Warning(
                    f"{each} is open to other accounts of this machine; chmod 600 ends that.",
                    id="hubadmin.W003",
                )


@register(Tags.database)
def rights_in_the_schema(
    databases: Iterable[str] | None = None, **kwargs: Any
) -> Iterable[CheckMessage]:
    """Before `migrate` runs anything as the owner of the tables."""
    for using in databases or ():
        if connections[using].vendor != "postgresql":
            continue
        if found := schema_rights.planted(using):
            named = ", ".join(f"{name} of {owner}" for name, owner in found)
            yield Error(
                f"Beside the tables there is what is not their owner's: {named}. Whatever the "
                "owner runs may call it, with all that the owner may.",
                hint="Find out who made it and what it does, and drop it.",
                id="hubadmin.E018",
            )
        for role, schema in schema_rights.creators(using):
            yield Warning(
                f"{role} may create in schema {schema}, beside the owner of the tables: a function "
                "or an operator that the owner would run.",
                hint=f"As a superuser: ALTER SCHEMA {schema} OWNER TO the owner of the tables, and "
                f"REVOKE CREATE ON SCHEMA {schema} FROM {role}.",
                id="hubadmin.W002",
            )
