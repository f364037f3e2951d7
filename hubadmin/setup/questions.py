"""What nobody but a person knows of a site, and whether an answer is one: the checks say that."""

import importlib
import os
import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from urllib.parse import urlsplit

from django.conf import settings
from django.core.checks import run_checks
from django.core.exceptions import ValidationError
from django.core.validators import validate_domain_name

from hubadmin.startup import serious


def host_trouble(host: str) -> str:
    """Return why people could not use this name of a host; empty if they can."""
    try:
        validate_domain_name(host)
    except ValidationError:
        return f"{host!r} is no name of a host; one is like hubadmin.example.com."
    return ""


def _database_trouble(address: str) -> str:
    parts = urlsplit(address)
    if parts.scheme == "sqlite" and not parts.path.startswith("//"):
        return "SQLite's file needs its whole path: sqlite:////var/lib/hubadmin/hubadmin.sqlite3."
    if "@" in parts.netloc:
        return "Leave user and password out: setup names the two roles, and makes their passwords."
    return ""


@dataclass(frozen=True, slots=True)
class Question:
    """What is asked for a setting; `trouble` is what else than the checks refuses an answer."""

    name: str
    text: str
    default: str = ""
    is_secret: bool = False
    trouble: Callable[[str], str] = lambda answer: ""

    @property
    def flag(self) -> str:
        """For all but secrets, which the list of processes would show to every account."""
        return "" if self.is_secret else f"--{self.name.lower().replace('_', '-')}"

    @property
    def variables(self) -> list[str]:
        return [self.name, f"{self.name}_FILE"] if self.is_secret else [self.name]


BEFORE = (
    Question("ALLOWED_HOSTS", "The host name that people will use", trouble=host_trouble),
    Question(
        "DATABASE_URL",
        "The database, without user and password; or for one machine SQLite: "
        "sqlite:////var/lib/hubadmin/hubadmin.sqlite3",
        "postgres://127.0.0.1:5432/hubadmin",
        trouble=_database_trouble,
    ),
    Question(
        "HUBSPOT_ACCESS_TOKEN", "HubSpot's access token, as the app in HubSpot shows it", "", True
    ),
    Question("HUBSPOT_API_VERSION", "HubSpot's API version: v4, 2026-03 or 2026-09", "2026-09"),
    Question("SSO_MODE", "How people sign in (hubadmin/sso): oidc, assertion or header", "oidc"),
)
OF_MODE = {
    "oidc": (
        Question("SSO_ISSUER", "The identity provider's issuer, to the letter as it says it"),
        Question(
            "SSO_CLIENT_ID",
            "hubadmin's client id, as it is registered at the provider, with the redirect URI "
            "https://<host>/sign-in/callback",
        ),
        Question("SSO_CLIENT_SECRET", "The client secret, from the same place", "", True),
        Question(
            "SSO_GROUPS_CLAIM",
            "The claim that holds the groups; with Entra ID it is roles",
            "groups",
        ),
    ),
    "assertion": (
        Question("SSO_ISSUER", "The issuer in the gateway's tokens, to the letter"),
        Question("SSO_ASSERTION_HEADER", "The header that carries the gateway's token"),
        Question("SSO_AUDIENCE", "The audience that the gateway's tokens are for"),
        Question("SSO_KEYS_URL", "Where the gateway shows its public keys"),
        Question("SSO_GROUPS_CLAIM", "The claim that holds the groups", "groups"),
    ),
    "header": (
        Question("SSO_ISSUER", "A name for the proxy, which is kept with each person", "proxy"),
        Question("SSO_HEADER_SECRET", "The secret that the proxy adds to requests", "", True),
    ),
}
AFTER = (
    Question("TRUSTED_PROXY_COUNT", "How many proxies of yours stand in front; nginx is one", "1"),
    Question("SSO_SUPPORT_GROUPS", "Groups, separated by commas, whose members may link records"),
    Question("SSO_ADMIN_GROUPS", "Groups whose members also see the audit log"),
)
# Of a question with several texts that of oidc counts.
_GROUPS = (BEFORE, *OF_MODE.values(), AFTER, OF_MODE["oidc"])
ALL = {each.name: each for group in _GROUPS for each in group}


def questions(answers: dict[str, str]) -> Iterator[Question]:
    """Each in its turn; what has been answered meanwhile says which ones follow."""
    yield from BEFORE
    yield from OF_MODE.get(answers.get("SSO_MODE", ""), ())
    yield from AFTER


def troubles(question: Question, answered: Iterable[str]) -> list[str]:
    """Return what is wrong with the answer that the environment holds now, a sentence each.

    The checks say it, as they do before anything serves; but what they miss of questions that are
    not `answered` yet is no mistake.
    """
    given = [os.environ.get(name, "") for name in question.variables]
    if not "".join(given).isprintable():
        return [f"{question.name} holds a line break or another character that cannot be seen."]
    read_settings()
    known = _names(answered) | {question.name}
    told = [
        text
        for text in serious(run_checks(include_deployment_checks=True))
        if question.name in (about := _names(re.findall(r"[A-Z_]+", text))) and about <= known
    ]
    return told or [*filter(None, [question.trouble(given[0])])]


def read_settings() -> None:
    """Have this process know what the environment holds by now."""
    settings.PROBLEMS.clear()
    read = importlib.reload(importlib.import_module(settings.SETTINGS_MODULE))
    for name in filter(str.isupper, dir(read)):
        setattr(settings, name, getattr(read, name))


def _names(words: Iterable[str]) -> set[str]:
    return {word.removesuffix("_FILE") for word in words} & {*ALL}
