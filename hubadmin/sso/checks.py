"""What must be right about signing in before hubadmin serves."""

import re
from collections.abc import Iterable
from typing import Any

from django.conf import settings
from django.core.checks import CheckMessage, Error, register

from hubadmin.sso.common import ALGORITHMS, BY_PROXY
from hubadmin.web.http import VISIBLE_ASCII, is_safe_address

# What each mode cannot do without; what it may have besides.
NEEDED = {
    "oidc": ["SSO_ISSUER", "SSO_CLIENT_ID", "SSO_CLIENT_SECRET"],
    "assertion": ["SSO_ISSUER", "SSO_ASSERTION_HEADER", "SSO_AUDIENCE", "SSO_KEYS_URL"],
    "header": ["SSO_ISSUER", "SSO_HEADER_SECRET"],
}
OPTIONAL = {"oidc": ["SSO_DISCOVERY_URL"], "assertion": ["SSO_ALB_ARN"], "header": []}
ADDRESSES = {
    "oidc": ["SSO_ISSUER", "SSO_DISCOVERY_URL"],
    "assertion": ["SSO_KEYS_URL"],
    "header": [],
}
HEADERS = {
    "oidc": [],
    "assertion": ["SSO_ASSERTION_HEADER"],
    "header": [
        "SSO_SECRET_HEADER",
        "SSO_SUBJECT_HEADER",
        "SSO_EMAIL_HEADER",
        "SSO_NAME_HEADER",
        "SSO_GROUPS_HEADER",
    ],
}
# The first is demanded above; without the others people show as what is known of them.
MAY_BE_EMPTY = {"SSO_ASSERTION_HEADER", "SSO_EMAIL_HEADER", "SSO_NAME_HEADER"}
SECRET_LENGTH = 32


@register(deploy=True)
def mode(**kwargs: Any) -> Iterable[CheckMessage]:
    chosen = settings.SSO_MODE
    if settings.DEMO:
        return
    if chosen not in NEEDED:
        said = f"is {chosen!r}" if chosen else "is not set, so nobody could sign in"
        yield Error(f"SSO_MODE {said}; set it to oidc, assertion or header.", id="hubadmin.E020")
        return
    for name in NEEDED[chosen]:
        if not getattr(settings, name):
            yield Error(f"{name} is not set; SSO_MODE={chosen} needs it.", id="hubadmin.E021")
    ours = {*NEEDED[chosen], *OPTIONAL[chosen]}
    for other in NEEDED:
        for name in {*NEEDED[other], *OPTIONAL[other]} - ours:
            if getattr(settings, name):
                yield Error(
                    f"{name} is set, which is for SSO_MODE={other}; but SSO_MODE is {chosen}.",
                    id="hubadmin.E022",
                )


@register(deploy=True)
def addresses(**kwargs: Any) -> Iterable[CheckMessage]:
    for name in ADDRESSES.get(settings.SSO_MODE, []):
        value = getattr(settings, name)
        if value and not is_safe_address(value):
            yield Error(f"{name} is {value!r}; it must be an https address.", id="hubadmin.E023")
    leads_to = settings.SSO_SIGN_OUT_URL
    if leads_to and not leads_to.startswith("/") and not is_safe_address(leads_to):
        yield Error(
            f"SSO_SIGN_OUT_URL is {leads_to!r}; it must be an https address, or a path of this "
            "host that begins with a slash.",
            id="hubadmin.E032",
        )


@register(deploy=True)
def headers(**kwargs: Any) -> Iterable[CheckMessage]:
    for name in HEADERS.get(settings.SSO_MODE, []):
        value = getattr(settings, name)
        # An underscore would make two headers one: X_A and X-A look the same to a WSGI server.
        if not re.fullmatch(r"[A-Za-z0-9-]+", value) and (value or name not in MAY_BE_EMPTY):
            yield Error(
                f"{name} is {value!r}; a header's name has letters, digits and hyphens.",
                id="hubadmin.E024",
            )
    if settings.SSO_MODE in BY_PROXY and not settings.TRUSTED_PROXY_COUNT:
        yield Error(
            f"TRUSTED_PROXY_COUNT is 0, but SSO_MODE={settings.SSO_MODE} needs a proxy in front: "
            "set it to 1, or to how many there are.",
            id="hubadmin.E033",
        )


@register(deploy=True)
def shared_secret(**kwargs: Any) -> Iterable[CheckMessage]:
    if settings.SSO_MODE != "header":
        return
    if 0 < len(settings.SSO_HEADER_SECRET) < SECRET_LENGTH:
        yield Error(
            f"SSO_HEADER_SECRET is shorter than {SECRET_LENGTH} characters.", id="hubadmin.E025"
        )
    if not VISIBLE_ASCII.issuperset(settings.SSO_HEADER_SECRET):
        yield Error(
            "SSO_HEADER_SECRET holds a space, a line break or another character that a header "
            "cannot carry.",
            id="hubadmin.E034",
        )
    if not settings.SSO_GROUPS_SEPARATOR.strip():
        yield Error("SSO_GROUPS_SEPARATOR is empty.", id="hubadmin.E026")


@register(deploy=True)
def tokens(**kwargs: Any) -> Iterable[CheckMessage]:
    chosen = settings.SSO_MODE
    if chosen == "assertion" and settings.SSO_ALGORITHM not in ALGORITHMS:
        known = ", ".join(ALGORITHMS)
        yield Error(
            f"SSO_ALGORITHM is {settings.SSO_ALGORITHM!r}; it must be one of {known}.",
            id="hubadmin.E027",
        )
    if chosen == "oidc" and "openid" not in settings.SSO_SCOPES.split():
        yield Error(
            "SSO_SCOPES leaves out openid, so there would be no ID token.", id="hubadmin.E028"
        )
    if chosen in ("oidc", "assertion") and not settings.SSO_GROUPS_CLAIM:
        yield Error("SSO_GROUPS_CLAIM is empty: nobody could get in.", id="hubadmin.E035")


@register(deploy=True)
def roles(**kwargs: Any) -> Iterable[CheckMessage]:
    if not settings.SSO_SUPPORT_GROUPS and not settings.SSO_ADMIN_GROUPS:
        yield Error(
            "Neither SSO_SUPPORT_GROUPS nor SSO_ADMIN_GROUPS is set: nobody could get in.",
            id="hubadmin.E029",
        )
    both = sorted({*settings.SSO_SUPPORT_GROUPS} & {*settings.SSO_ADMIN_GROUPS})
    if both:
        yield Error(
            f"SSO_SUPPORT_GROUPS and SSO_ADMIN_GROUPS both name {both[0]!r}: is it support or "
            "admin?",
            id="hubadmin.E030",
        )


@register(deploy=True)
def times(**kwargs: Any) -> Iterable[CheckMessage]:
    recheck, idle = settings.SSO_RECHECK_SECONDS, settings.SSO_IDLE_SECONDS
    if not 0 < recheck <= settings.SSO_SESSION_SECONDS or not idle > 0:
        yield Error(
            "SSO_RECHECK_SECONDS, SSO_IDLE_SECONDS and SSO_SESSION_SECONDS must be above 0, and "
            "SSO_RECHECK_SECONDS no longer than SSO_SESSION_SECONDS.",
            id="hubadmin.E031",
        )
