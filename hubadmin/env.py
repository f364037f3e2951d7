"""Reads the environment for settings.py; what is wrong with it is collected for the checks."""

import os
from io import StringIO
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import environ
from django.core.exceptions import ImproperlyConfigured

BASE_DIR = Path(__file__).resolve().parent.parent
PROBLEMS: list[str] = []
LEVELS = ("DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL")
SQLITE_OPTIONS = {
    "transaction_mode": "IMMEDIATE",  # wait for the write lock at the start, never fail half way
    "timeout": 20,
    # synchronous=FULL: the log must survive a power loss. recursive_triggers: REPLACE deletes too.
    "init_command": (
        "PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL; PRAGMA mmap_size=134217728; "
        "PRAGMA recursive_triggers=ON;"
    ),
}
# How soon this end and PostgreSQL's notice that the other's machine, or the way to it, is gone. TCP
# by itself sends again for a quarter of an hour, and asks somebody silent after two: until then a
# page waits, and rows stay locked for a worker whose machine has no power.
_SILENCE = {"keepalives_idle": 10, "keepalives_interval": 5, "keepalives_count": 3}
_SENT_MILLISECONDS = 15_000
POSTGRESQL_OPTIONS = {
    "connect_timeout": 5,
    **_SILENCE,
    "tcp_user_timeout": _SENT_MILLISECONDS,
    "options": " ".join(
        f"-c {name}={value}"
        for name, value in {
            **{f"tcp_{name}": value for name, value in _SILENCE.items()},
            "tcp_user_timeout": _SENT_MILLISECONDS,
        }.items()
    ),
}

NOWHERE = "sqlite://:memory:"  # in which there is nothing to mistake for what was meant

env = environ.Env()
# An exported variable wins over the file. The demo and the tests read no file at all.
ENV_FILE = env.str("ENV_FILE", default=str(BASE_DIR / ".env"))
if ENV_FILE and ("ENV_FILE" in os.environ or Path(ENV_FILE).exists()):
    try:
        env.read_env(StringIO(Path(ENV_FILE).read_text(encoding="utf-8")))
    except (OSError, UnicodeDecodeError) as error:
        # Not passed over: `migrate`, say, would make the tables in another database.
        os.environ.setdefault("DATABASE_URL", NOWHERE)
        PROBLEMS.append(f"ENV_FILE is {ENV_FILE!r}, which cannot be read: {error}.")


def names(name: str) -> list[str]:
    """Return what a list separated by commas names; none if it is not set."""
    return [each.strip() for each in env.list(name, default=[]) if each.strip()]


def number(name: str, default: int) -> int:
    """Return a whole number; the default if there is none, or none that can be read."""
    try:
        return env.int(name, default=default)
    except ValueError:
        PROBLEMS.append(f"{name} is {env.str(name)!r}; it must be a whole number.")
        return default


def percent(name: str, default: float) -> float:
    """Return a number that need not be whole; the default if none can be read."""
    try:
        return env.float(name, default=default)
    except ValueError:
        PROBLEMS.append(f"{name} is {env.str(name)!r}; it must be a number, such as 0.5.")
        return default


def log_level(name: str, default: str) -> str:
    """Return the name of a level; the default if there is none, or none of this name."""
    level = env.str(name, default=default).upper()
    if level in LEVELS:
        return level
    PROBLEMS.append(f"{name} is {level!r}; it must be one of {', '.join(LEVELS)}.")
    return default


def time_zone(name: str, default: str) -> str:
    """Return the name of a time zone; the default if there is none, or none of this name."""
    zone = env.str(name, default=default)
    try:
        ZoneInfo(zone)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        PROBLEMS.append(f"{name} is {zone!r}; no time zone is called so. One is Europe/Berlin.")
        return default
    return zone


def secret(name: str) -> str:
    """Return a secret from the variable, or from the file that `<name>_FILE` names.

    Docker and Kubernetes mount secrets as files, often with a line break at the end.
    """
    # Not by django-environ's FileAwareEnv: it raises where this collects problems, does not notice
    # that both are set, and takes a value that begins with `$` for a reference to another variable.
    value, file = os.environ.get(name, "").strip(), os.environ.get(f"{name}_FILE", "")
    if not file:
        return value
    if value:
        PROBLEMS.append(f"{name} and {name}_FILE are both set; set one of them.")
    try:
        value = Path(file).read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        PROBLEMS.append(f"{name}_FILE is {file!r}, which cannot be read: {error}.")
        return ""
    if not value:
        PROBLEMS.append(f"{name}_FILE is {file!r}, which is empty.")
    return value


def mail_from(url: str) -> dict[str, Any]:
    """Return Django's settings for the mail server at an address; none if there is none."""
    if not url:
        return {}
    try:
        mail: dict[str, Any] = env.email_url_config(url)
    except (ValueError, KeyError, environ.ImproperlyConfigured):
        mail = {}
    if not mail.get("EMAIL_HOST"):
        PROBLEMS.append(
            "EMAIL_URL is no address of a mail server; one is like "
            "smtp+tls://user:password@mail.example.com:587."
        )
        return {}
    return mail


def database_from(url: str, ca_bundle: str = "") -> dict[str, Any]:
    """Return Django's settings for a database address, with what each kind needs to run well.

    The address may hold a password, so what is wrong with it is told without it.
    """
    database = _database_named_by(url)
    if database is None:
        PROBLEMS.append(
            "DATABASE_URL is no address of a database that hubadmin can use; one is like "
            "postgres://user:password@db.example.com:5432/hubadmin. In its user name and its "
            "password, write what is neither letter nor digit by its code: @ is %40, / is %2F, "
            "# is %23, : is %3A, % is %25."
        )
        database = env.db_url_config(NOWHERE)
    database |= {"CONN_MAX_AGE": 600, "CONN_HEALTH_CHECKS": True}
    options = database.setdefault("OPTIONS", {})
    if ca_bundle and options.get("sslmode", "").startswith("verify-"):
        options.setdefault("sslrootcert", ca_bundle)
    if database["ENGINE"].endswith("sqlite3"):
        database["OPTIONS"] = SQLITE_OPTIONS | options
    else:
        database["OPTIONS"] = POSTGRESQL_OPTIONS | options
    return database


def _database_named_by(url: str) -> dict[str, Any] | None:
    """None where it cannot be read: a `/` or a `?` in its password is where the host would end."""
    try:
        database: dict[str, Any] = env.db_url_config(url)
        is_known = database["ENGINE"].endswith((".sqlite3", ".postgresql"))
    except (ImproperlyConfigured, KeyError, ValueError):
        return None
    name, is_file = database.get("NAME"), database["ENGINE"].endswith("sqlite3")
    return database if is_known and name and (is_file or "@" not in name) else None
