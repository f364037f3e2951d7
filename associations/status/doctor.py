"""What `manage.py doctor` tries of the database, the log, bulk runs and HubSpot.

And what `manage.py setup` finds out there.
"""

import http.client
import os
import re
from collections.abc import Iterable, Iterator
from pathlib import Path

from django.conf import settings
from django.core.checks import Tags, run_checks
from django.db import Error as DBError
from django.db import OperationalError, connection
from django.utils import timezone

from associations.audit import spool
from associations.audit.integrity import role_rights, signing, timestamp_authority
from associations.audit.integrity.manifest import ManifestError, read
from associations.gateway import clients
from associations.models import AuditSeal, Sealer
from associations.models.readable import UnreadableRow, read_rows
from associations.status.auditlog import log_lines
from associations.status.bulk import run_lines
from associations.status.report import Item, plain
from associations.status.report import Level as ItemLevel
from associations.status.token import account_lines, look_at_hubspot, scope_lines, version_lines
from hubadmin.web import readiness
from hubadmin.web.doctor import Finding, Level, ask, clock, why

LEVELS = {ItemLevel.WRONG: Level.FAILED, ItemLevel.WARNING: Level.WARNING}
NAMED = 8  # rights, of those that differ
_GRANTS = "As the owner of the tables, run the grants in hubadmin/README.md, “PostgreSQL”."
# PostgreSQL's and SQLite's words, and ours.
_AWAY = {
    "password authentication failed": "it does not accept the password in DATABASE_URL",
    "no pg_hba.conf entry": "it does not let this machine or this role in (pg_hba.conf)",
    "role": "it does not know the role in DATABASE_URL",
    "database": "it does not know the database in DATABASE_URL",
    "timeout expired": "it does not answer in time",
    "connection refused": "nobody listens there (connection refused)",
    "resolve host": "its name cannot be resolved (DNS)",
    "translate host name": "its name cannot be resolved (DNS)",
    "certificate": "its TLS certificate is not trusted here",
    "too many": "it has no connection left",
    "unable to open": "its file cannot be opened",
    "not a database": "its file is no database",
}
_NEED_MORE = {"role": "does not exist", "database": "does not exist"}
_UI_DOMAIN = re.compile(r"app[a-z0-9-]*\.hubspot\.com")
HUBSPOT_PATH = "/account-info/v3/details"


def database() -> Iterator[Finding]:
    """Whether it is there, of this version, and lets this role do what it has to."""
    if _is_missing():
        text = f"There is no database yet at {connection.settings_dict['NAME']}."
        yield Finding(Level.FAILED, text, "manage.py migrate makes it; or correct DATABASE_URL.")
        return
    try:
        connection.ensure_connection()
        version = ".".join(map(str, connection.get_database_version()))
    except DBError as error:
        advice = "Compare DATABASE_URL with where it runs, and see whether it runs."
        yield Finding(Level.FAILED, f"The database cannot be asked: {_away(error)}.", advice)
        return
    yield Finding(Level.OK, f"{connection.display_name} {version} answers.")
    try:
        missing = readiness.missing_migrations()
    except DBError as error:
        yield Finding(Level.FAILED, f"Its migrations cannot be read: {_words(error)}", _GRANTS)
        return
    if missing:
        text = f"{len(missing)} migrations are missing, {missing[0]} first."
        yield Finding(Level.FAILED, text, "As the owner of the tables: manage.py migrate.")
        return
    yield Finding(Level.OK, "It has every migration.")
    yield from _rights()
    yield _writing()
    for message in run_checks(tags=[Tags.database], databases=["default"]):
        level = Level.FAILED if message.is_serious() else Level.WARNING
        yield Finding(level, str(message.msg), str(message.hint or ""))


def _is_missing() -> bool:
    """Whether there is no file, which SQLite would make."""
    is_file = connection.vendor == "sqlite"
    return is_file and not Path(connection.settings_dict["NAME"]).exists()


def _demand_database() -> None:
    if _is_missing():
        raise OperationalError("there is no database yet")


def _away(error: DBError) -> str:
    text = str(error).lower()
    for words, said in _AWAY.items():
        if words in text and _NEED_MORE.get(words, "") in text:
            return said
    return _words(error) if connection.vendor == "sqlite" else why(error)


def _words(error: DBError) -> str:
    return " ".join(str(error).split())[:200]


def _rights() -> Iterator[Finding]:
    rights = role_rights.of_this_role()
    if rights is None:
        text = "SQLite knows no roles: whoever can write the file can change it."
        yield Finding(Level.OK, text)
        return
    serve = "Serve as a role that may less: hubadmin/README.md, “PostgreSQL”."
    if rights.is_superuser:
        text = f"The role {rights.role} is a superuser: it may take off what guards the log."
        yield Finding(Level.WARNING, text, serve)
        return
    if rights.is_owner:
        text = (
            f"The role {rights.role} owns the tables, as `migrate` and `prune_audit_log` need it: "
            "it may take off what guards the log."
        )
        yield Finding(Level.WARNING, text, serve)
        return
    if rights.lacking:
        text = f"The role {rights.role} lacks rights that serving takes: {_few(rights.lacking)}."
        yield Finding(Level.FAILED, text, _GRANTS)
    if rights.beyond:
        text = f"The role {rights.role} may more than serving takes: {_few(rights.beyond)}."
        yield Finding(Level.WARNING, text, "As the owner of the tables, revoke it.")
    if not (rights.lacking or rights.beyond):
        text = f"The role {rights.role} may what serving takes, and no more."
        yield Finding(Level.OK, text)


def _few(names: list[str]) -> str:
    return ", ".join(names[:NAMED]) + (" …" if len(names) > NAMED else "")


def _writing() -> Finding:
    try:
        readiness.write()
    except DBError as error:
        advice = "See whether its disk is full, or it is a replica or set to read-only."
        return Finding(Level.FAILED, f"It cannot be written: {_words(error)}", advice)
    return Finding(Level.OK, "It can be written.")


def audit_log() -> Iterator[Finding]:
    """The lines of the status page, whether the keys fit, and whether answers could be kept."""
    yield _spool()
    _demand_database()
    yield from _keys()
    yield _sealer()
    yield from _told(log_lines(timezone.now()))


def _keys() -> Iterator[Finding]:
    try:
        trusted = signing.trusted_keys()
        own = signing.own_key() if settings.AUDIT_SIGNING_KEY else None
    except signing.SigningKeyError:
        return  # the settings and the log's own lines say so
    if own and settings.AUDIT_PUBLIC_KEYS and own.text not in settings.AUDIT_PUBLIC_KEYS:
        text = "AUDIT_PUBLIC_KEYS does not name the public key of AUDIT_SIGNING_KEY."
        advice = f"Add {own.text}, here and where the log is only verified."
        yield Finding(Level.WARNING, text, advice)
    seal = next(iter(read_rows(AuditSeal.objects.reverse()[:1])), None)
    if not trusted or seal is None or isinstance(seal, UnreadableRow):
        return
    try:
        key = trusted.get(read(seal.manifest).key_id)
    except ManifestError:
        return
    if key is None:
        text = f"The last seal, number {seal.number}, is by a key that is not trusted here."
        advice = "Name the sealer's public key in AUDIT_PUBLIC_KEYS."
        yield Finding(Level.FAILED, text, advice)
    elif not key.signed(seal.head, seal.signature):
        text = f"The signature of the last seal, number {seal.number}, is not good."
        yield Finding(Level.FAILED, text, "Run manage.py verify_audit_log.")
    else:
        yield Finding(Level.OK, "The keys fit the last seal.")


def _spool() -> Finding:
    folder = there = spool.folder()
    while not there.exists() and there != there.parent:
        there = there.parent
    if there.is_dir() and os.access(there, os.W_OK | os.X_OK):
        return Finding(Level.OK, f"Answers could be kept in {folder} while the log is away.")
    text = f"Answers of HubSpot could not be kept in {folder} while the log is away."
    advice = "Set SPOOL_DIR to a folder that the account that serves may write to."
    return Finding(Level.WARNING, text, advice)


def _sealer() -> Finding:
    """One that has not ended in order, a line of the status page tells."""
    if Sealer.objects.alive().exists():
        return Finding(Level.OK, "What seals the log again and again gives signs of life.")
    text = "No manage.py seal_audit_log --every is running."
    return Finding(Level.OK, text, "Let it run as a service, or a timer run seal_audit_log.")


def timestamps() -> Iterator[Finding]:
    """Whether the authority for times answers at all, and it is known whom to believe."""
    if not settings.AUDIT_TSA_URL:
        return
    try:
        count = len(timestamp_authority.authorities())
    except timestamp_authority.AuthorityError as error:
        yield Finding(Level.FAILED, f"{error}.", "Name a file of its certificates in AUDIT_TSA_CA.")
    else:
        yield Finding(Level.OK, f"AUDIT_TSA_CA can be read; certificates: {count}.")
    advice = "Compare AUDIT_TSA_URL with its documents, and see whether this machine reaches it."
    try:
        answered = ask(settings.AUDIT_TSA_URL, authorities="")  # the system's
    except (OSError, http.client.HTTPException, ValueError) as error:
        text = f"The timestamp authority (AUDIT_TSA_URL) cannot be reached: {why(error)}."
        yield Finding(Level.FAILED, text, advice)
        return
    if answered.status >= 500:
        text = f"The timestamp authority answers with HTTP {answered.status}."
        yield Finding(Level.WARNING, text, "See whether it has trouble; it is asked once a day.")
        return
    yield Finding(Level.OK, "The timestamp authority answers.")
    if told_time := clock("the timestamp authority", answered.date, answered.at):
        yield told_time


def bulk_runs() -> Iterator[Finding]:
    """The lines of the status page."""
    _demand_database()
    yield from _told(run_lines())


def tasks_in_redis() -> Iterator[Finding]:
    """Whether Redis is there, if workers' tasks wait in it."""
    if not settings.WORKER_BROKER_URL:
        return
    import redis  # it takes a while, and most do without

    try:
        with redis.from_url(
            settings.WORKER_BROKER_URL, socket_connect_timeout=4, socket_timeout=4
        ) as client:
            client.ping()
    except redis.AuthenticationError:
        text = "Redis does not accept the password in WORKER_BROKER_URL."
        yield Finding(Level.FAILED, text, "Correct it, and restart servers and workers.")
    except (redis.RedisError, OSError, ValueError) as error:
        text = f"Redis (WORKER_BROKER_URL) cannot be asked: {why(error)}."
        yield Finding(Level.FAILED, text, "See whether it runs, and whether this machine may ask.")
    else:
        yield Finding(Level.OK, "Redis answers.")


def hubspot() -> Iterator[Finding]:
    """Whether HubSpot is reached, takes the token and lets it do what people need."""
    address = settings.HUBSPOT_API_BASE_URL.rstrip("/") + HUBSPOT_PATH
    client = clients.without_database()
    try:
        answered = ask(address, authorities=client.authorities, proxy=settings.HUBSPOT_PROXY_URL)
    except (OSError, http.client.HTTPException, ValueError) as error:
        told = why(error)
        advice = "See whether a firewall is in the way, or HUBSPOT_PROXY_URL is missing or wrong."
        if "certificate" in told:
            advice = "If a proxy of yours ends TLS, name its authority in HUBSPOT_CA_BUNDLE."
        text = f"HubSpot cannot be reached at {settings.HUBSPOT_API_BASE_URL}: {told}."
        yield Finding(Level.FAILED, text, advice)
        return
    if answered.is_page:
        text = f"{settings.HUBSPOT_API_BASE_URL} answers with a web page instead of JSON."
        yield Finding(Level.FAILED, text, "Correct HUBSPOT_API_BASE_URL, or the proxy on the way.")
        return
    yield Finding(Level.OK, f"{settings.HUBSPOT_API_BASE_URL} answers.")
    if told_time := clock("HubSpot", answered.date, answered.at):
        yield told_time
    shown = look_at_hubspot(client)
    yield from _told(account_lines(shown))
    yield from _told(version_lines(timezone.localdate()))
    yield from _told(scope_lines(shown, timezone.now()))


def account_settings() -> tuple[dict[str, str], str]:
    """Return what `manage.py setup` need not ask: settings that HubSpot tells, and why not all."""
    shown = look_at_hubspot(clients.without_database())
    account = shown.account.value
    found = {"HUBSPOT_PORTAL_ID": shown.portal_id}
    if account and _UI_DOMAIN.fullmatch(account.ui_domain):
        found["HUBSPOT_UI_URL"] = f"https://{account.ui_domain}"
    return found, "" if shown.portal_id else plain(next(account_lines(shown)).text)


def _told(lines: Iterable[Item]) -> Iterator[Finding]:
    """The lines of the status page; what is not known there is no fault."""
    for line in lines:
        text = " ".join(filter(None, (plain(line.text), *line.codes)))
        yield Finding(LEVELS.get(line.level, Level.OK), text, plain(line.advice))
