"""How long a sign-in lasts: in all, without activity, and until the provider is asked again.

A person's role and whether they are active are read with every request, so a change of either
counts at once in all of their sessions.
"""

import math
import time
from collections import Counter
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

from django.conf import settings
from django.contrib.auth import SESSION_KEY, get_user, login, logout
from django.contrib.auth.models import AnonymousUser
from django.contrib.sessions.models import Session
from django.db.models import Q
from django.http import HttpRequest

from hubadmin.models import ProviderLogout, ProviderSession, User
from hubadmin.sso import common
from hubadmin.sso.users import is_subject
from hubadmin.web import drafts
from hubadmin.web.http import AnyHttpRequest
from hubadmin.web.sessions import SessionStore, change_now

IDLE, LIFETIME = "there was no activity", "its lifetime is over"
BY_PROVIDER = "the provider ended it"
BACKEND = "hubadmin.sso.backend.SSOBackend"
NO_CLAIMS: Mapping[str, Any] = MappingProxyType({})
_KEY = "sso"
_ENDED = "sso_ended"
_SEEN_EVERY = 60  # seconds; activity is written down no more often
CLOCKS_DIFFER = 300  # seconds, at most, of two machines; a time that is further ahead is none


def start(
    request: HttpRequest,
    user: User,
    *,
    id_token: str = "",
    login_hint: str = "",
    claims: Mapping[str, Any] = NO_CLAIMS,
) -> None:
    """Sign the person in: a session with a new key, and a new CSRF token.

    Raises RefusedError if the provider has ended its own session meanwhile.
    """
    login(request, user, BACKEND)
    request.session.cycle_key()  # login() leaves it to somebody who was signed in already
    _note_whose(request, user, claims)  # without what follows nobody is in
    now = time.time()
    request.session.pop(_ENDED, None)
    request.session[_KEY] = {
        "signed_in_at": now,
        "seen_at": now,
        "checked_at": now,
        "id_token": id_token,
        "login_hint": login_hint,
    }


def confirm(
    request: HttpRequest, user: User, *, id_token: str, claims: Mapping[str, Any] = NO_CLAIMS
) -> bool:
    """Note that the provider named the same person again; False if they have signed out meanwhile.

    The key stays: other tabs are on their way with it, and would be signed out. Raises RefusedError
    if the provider has ended its own session meanwhile.
    """
    checked = {"checked_at": time.time(), "id_token": id_token}
    is_noted = change_now(
        request, lambda session: SESSION_KEY in session and session[_KEY].update(checked)
    )
    if not is_noted or SESSION_KEY not in request.session:
        return False
    _note_whose(request, user, claims)
    return True


def end_by_provider(*, subject: str, sid: str) -> dict[User, int]:
    """End all sessions that came of a session at the provider, or of all of a person's.

    Return of whom how many. Who is just being answered cannot revive theirs: a session that is not
    there any more is not saved.
    """
    of_person = Q(at_provider__user__issuer=settings.SSO_ISSUER, at_provider__user__subject=subject)
    which = of_person
    if sid:  # of some sessions the provider may not have told which of its own they came of
        which = Q(at_provider__sid=sid) | (of_person & Q(at_provider__sid=""))
    found = list(Session.objects.filter(which).select_related("at_provider__user"))
    Session.objects.filter(pk__in=[each.pk for each in found]).delete()
    return Counter(each.at_provider.user for each in found)


def end(request: HttpRequest) -> None:
    """End the session, but for what its person had typed: that stays theirs, and theirs alone."""
    with drafts.carried_over(request):
        logout(request)


def facts(request: HttpRequest) -> dict[str, Any]:
    """Return what was noted at sign-in; empty if nobody is signed in by this session."""
    return request.session.get(_KEY, {})


def person_of(request: AnyHttpRequest) -> User | AnonymousUser:
    """Return who is signed in by this session; end it if its time is over."""
    user = get_user(request)
    if SESSION_KEY not in request.session:
        return user
    if why := _why_over(user, facts(request)):
        user_id = int(request.session[SESSION_KEY])
        request._cached_user = AnonymousUser()  # for whoever asks while the session ends
        end(request)
        request.session[_ENDED] = why
        common.record_end(request, User.objects.filter(pk=user_id).first(), why)
        return AnonymousUser()
    if _is_activity(request):
        _note_activity(request)
    return user


def lasts(request: AnyHttpRequest) -> bool:
    """Whether the person's session stands in the database as it is now, and is not over."""
    session = SessionStore(request.session.session_key)
    is_theirs = session.get(SESSION_KEY) == str(request.user.pk)
    return is_theirs and not _why_over(request.user, session.get(_KEY, {}))


def why_ended(request: HttpRequest) -> str:
    """Return why the session before this one ended, if time was the reason."""
    return request.session.get(_ENDED, "")


def recheck_is_due(request: HttpRequest) -> bool:
    """Whether the provider has to be asked again before this person sees or does anything."""
    if settings.SSO_MODE != "oidc":
        return False  # the demo has no provider; a proxy speaks with every request
    since = time.time() - facts(request)["checked_at"]
    return since >= settings.SSO_RECHECK_SECONDS or since < -CLOCKS_DIFFER


def recognise(request: HttpRequest, user: User) -> None:
    """Note in the session whom a proxy names; somebody new gets a session of their own."""
    before = facts(request).get("user_id")
    if before == user.pk:
        return
    if user.role:
        common.record_sign_in(request, user)
    else:
        common.record_no_access(request, user)
    if before is None and SESSION_KEY not in request.session:
        request.session.cycle_key()
    else:
        request.session.flush()
    request.session[_KEY] = {"user_id": user.pk}


def _note_whose(request: HttpRequest, user: User, claims: Mapping[str, Any]) -> None:
    """Note which session at the provider this one came of; of one that has ended none may come.

    In this order: what the provider tells from now on finds the note, and ends the session.
    """
    sid = claims.get("sid")
    sid = sid if is_subject(sid) else ""
    ProviderSession.objects.update_or_create(
        session_id=request.session.session_key, defaults={"user": user, "sid": sid}
    )
    if "iat" not in claims:
        return
    issued_at = int(claims["iat"])
    meanwhile = Q(subject=user.subject, issued_at__gte=issued_at)
    if sid:  # some providers end our part of a session alone, and go on with it under its old name
        of_session = Q(sid=sid, issued_at__gte=issued_at - common.LEEWAY)
        meanwhile = of_session | (meanwhile & Q(sid=""))
    if ProviderLogout.objects.filter(meanwhile).exists():
        raise common.RefusedError("the provider has ended this sign-in meanwhile")


def _why_over(user: User | AnonymousUser, facts: dict[str, Any]) -> str:
    now = time.time()
    if not user.is_authenticated:
        return "the person has been deactivated"
    # One that began in the future began before the clock was set back.
    if facts.get("signed_in_at", math.inf) - now > CLOCKS_DIFFER:
        return "its age is not known"
    if now - facts["signed_in_at"] >= settings.SSO_SESSION_SECONDS:
        return LIFETIME
    if now - facts["seen_at"] >= settings.SSO_IDLE_SECONDS:
        return IDLE
    return ""


def _is_activity(request: HttpRequest) -> bool:
    """Whether a person did this; not so what a page does by itself, to stay up to date."""
    by_itself = "HX-Request" in request.headers or "refresh" in request.GET
    return request.method not in ("GET", "HEAD") or not by_itself


def _note_activity(request: HttpRequest) -> None:
    now = time.time()
    if abs(now - facts(request)["seen_at"]) >= _SEEN_EVERY:
        change_now(request, lambda session: _KEY in session and session[_KEY].update(seen_at=now))
