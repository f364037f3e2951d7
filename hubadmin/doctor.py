"""`manage.py doctor`: everything that hubadmin needs, tried for real, side by side.

What is tried stands in `settings.DOCTOR`; each is a function that yields findings.
"""

import os
import shutil
import tempfile
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from threading import Thread
from time import monotonic
from urllib.parse import unquote, urlsplit

from django.conf import settings
from django.core.checks import WARNING, run_checks
from django.core.exceptions import ImproperlyConfigured
from django.db import Error as DBError
from django.db import connections
from django.utils.module_loading import import_string

from hubadmin.web import measuring
from hubadmin.web.doctor import Finding, Level
from hubadmin.web.static_files import names

WHOLE_SECONDS = 10.0
CONNECT_SECONDS = 4
SWALLOWED = "Something on the way swallows what is sent: look for a firewall."
BUSY = 3  # processes that want a core, for each of them
MIB = 1024 * 1024
LITTLE, TOO_LITTLE = 1024 * MIB, 100 * MIB
TEMPORARY = 256 * MIB  # for the texts of a workbook
SECRETS = (
    *("HUBSPOT_ACCESS_TOKEN", "SSO_CLIENT_SECRET", "SSO_HEADER_SECRET"),
    *("AUDIT_SIGNING_KEY", "WORKER_BROKER_URL", "HUBSPOT_PROXY_URL"),
    *("AUDIT_TSA_PASSWORD", "EMAIL_HOST_PASSWORD", "NOTICE_SIGNING_SECRET", "METRICS_TOKEN"),
)
HIDDEN = "(not shown)"


@dataclass(slots=True)
class Looked:
    """What was found of one matter, as far as it has come."""

    title: str
    findings: list[Finding] = field(default_factory=list)
    is_over: bool = False


def examine(seconds: float = WHOLE_SECONDS) -> list[Looked]:
    """Try everything at once; what has not ended after so many seconds has failed.

    On a busy machine each takes longer, whatever it asks.
    """
    busy = _how_busy()
    seconds *= BUSY if busy else 1
    _bound_waits_for_the_database()
    looks = [(Looked(title), path) for title, path in settings.DOCTOR]
    # Threads of our own: nobody waits for one at the end that hangs in a name server's silence.
    threads = [Thread(target=_look, args=each, daemon=True) for each in looks]
    for thread in threads:
        thread.start()
    until = monotonic() + seconds
    for thread in threads:
        thread.join(max(0.0, until - monotonic()))
    for looked, _ in looks:
        if not looked.is_over:
            text = f"It did not end within {seconds:.0f} seconds, so the rest of it is not known."
            looked.findings.append(Finding(Level.FAILED, text, busy or SWALLOWED))
    return [Looked(each.title, _shown(each.findings)) for each, _ in looks]


def _how_busy() -> str:
    """What to do about it; empty if this machine is not so busy that it matters."""
    load, cores = os.getloadavg()[0], os.cpu_count() or 1
    if load < BUSY * cores:
        return ""
    machine = f"This machine is busy (a load of {load:.0f} on {cores} cores)"
    return f"{machine}: try again when it is not, before you look for a firewall."


def _bound_waits_for_the_database() -> None:
    database = connections.settings["default"]
    if database["ENGINE"].endswith("sqlite3"):
        bound = {"timeout": CONNECT_SECONDS}
    else:
        bound = {"connect_timeout": CONNECT_SECONDS}
    database["OPTIONS"] = database.get("OPTIONS", {}) | bound


def _look(looked: Looked, path: str) -> None:
    """What goes wrong in a look is a finding, too; another look goes on."""
    try:
        look: Callable[[], Iterable[Finding]] = import_string(path)
        for finding in look():
            looked.findings.append(finding)
    except DBError:
        text = "The rest of this cannot be looked at while the database cannot be asked."
        looked.findings.append(Finding(Level.WARNING, text, "See “Database”."))
    except Exception as error:
        text = f"This could not be looked at: {type(error).__name__}: {error}"
        looked.findings.append(Finding(Level.FAILED, text, "Please report it: it is our mistake."))
    finally:
        looked.is_over = True
        connections.close_all()


def _shown(findings: Iterable[Finding]) -> list[Finding]:
    """Each in one line, and without anything secret, whoever has put it there."""
    secret = _secrets()
    redact: Callable[[str], str] = import_string(settings.LOG_REDACTOR)

    def shown(text: str) -> str:
        for each in secret:
            text = text.replace(each, HIDDEN)
        return " ".join(redact(text).split())

    return [Finding(each.level, shown(each.text), shown(each.advice)) for each in findings]


def _secrets() -> list[str]:
    """The longest first, as one may be part of another."""
    found: set[str] = {getattr(settings, name, "") or "" for name in SECRETS}
    found |= {each.address for each in settings.NOTICE_RECEIVERS}
    found |= {*map(str, settings.SECRET_KEY_FALLBACKS)}
    with suppress(ImproperlyConfigured):  # there is none
        found.add(settings.SECRET_KEY)
    addresses = [each for each in found if "://" in each]
    found |= {unquote(urlsplit(each).password or "") for each in addresses}
    found.add(str(settings.DATABASES["default"].get("PASSWORD") or ""))
    return sorted((each for each in found if len(each) > 3), key=len, reverse=True)


def in_settings() -> Iterator[Finding]:
    """What `check --deploy` says."""
    messages = run_checks(include_deployment_checks=True)
    found = [each for each in messages if each.level >= WARNING and not each.is_silenced()]
    for each in found:
        level = Level.FAILED if each.is_serious() else Level.WARNING
        yield Finding(level, str(each.msg), str(each.hint or ""))
    if not found:
        yield Finding(Level.OK, "The settings are complete and contradict nothing.")


def in_files() -> Iterator[Finding]:
    """Whether what is read is there, and what is written has room. Logs go to standard error."""
    try:
        names.stored_name("associations/hubadmin.css")
    except (ValueError, OSError) as error:
        text = f"The static files cannot be read: {error}"
        yield Finding(Level.FAILED, text, "Install hubadmin's folder whole, readable for it.")
    else:
        yield Finding(Level.OK, "The static files are there.")
    database = settings.DATABASES["default"]
    if database["ENGINE"].endswith("sqlite3"):
        yield _room("the database", Path(database["NAME"]).parent, LITTLE)
    else:
        yield Finding(Level.OK, "How much room PostgreSQL's disk has cannot be seen from here.")
    uploads = 2 * settings.BULK_MAX_BYTES * settings.WORKER_PROCESSES + TEMPORARY
    yield _room("temporary files", Path(tempfile.gettempdir()), uploads)
    if settings.METRICS_TOKEN:
        yield _counting()


def _counting() -> Finding:
    if told := measuring.trouble():
        text = f"METRICS_DIR cannot be used, so nothing is counted for /metrics: {told}."
        advice = "Give it a folder of this account's alone, that exists or can be made."
        return Finding(Level.FAILED, text, advice)
    return Finding(Level.OK, "METRICS_DIR can be used.")


def _room(what: str, folder: Path, little: int) -> Finding:
    try:
        free = shutil.disk_usage(folder).free
        may_write = os.access(folder, os.W_OK | os.X_OK)
    except OSError as error:
        return Finding(Level.FAILED, f"The folder for {what}, {folder}, cannot be used: {error}")
    if not may_write:
        text = f"This account may not write to {folder}, the folder for {what}."
        return Finding(Level.FAILED, text, "Give the folder to the account that serves.")
    level = Level.FAILED if free < TOO_LITTLE else Level.WARNING if free < little else Level.OK
    advice = "" if level is Level.OK else "Make room, or use another disk."
    return Finding(level, f"{folder}, for {what}, has {free // MIB} MiB free.", advice)
