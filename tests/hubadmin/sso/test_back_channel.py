"""The provider tells by itself that somebody has signed out there: back-channel logout."""

import itertools
import time
from collections.abc import Callable
from typing import Any

from django.contrib.sessions.backends.base import UpdateError
from django.contrib.sessions.models import Session
from django.db import connection
from django.http import HttpResponse
from django.test import tag
from django.test.utils import CaptureQueriesContext

from hubadmin.models import ProviderLogout, ProviderSession
from hubadmin.sso import back_channel, oidc_provider
from hubadmin.sso.oidc_provider import provider
from tests.hubadmin.sso.base import CLIENT_ID, CLIENT_SECRET, ProviderTestCase, later
from tests.hubadmin.sso.test_events import told
from tests.identity import forgery
from tests.identity.forgery import GOOD_PEM, OTHER, OTHER_EC, sign
from tests.identity.hostile import ELSEWHERE, GONE
from tests.support import SignedInClient, person, read_only_database

ADDRESS = "/sign-out/back-channel"
EVENT = {"http://schemas.openid.net/event/backchannel-logout": {}}
MINUTE = 60
NO_TEXT = (None, "", 5, True, [], ["victim"], {}, "a\0b", "\ud800", "v" * 256)
_jti = itertools.count()

Variant = Callable[["BackChannelTestCase"], HttpResponse]


class BackChannelTestCase(ProviderTestCase):
    def setUp(self) -> None:
        super().setUp()
        self.browser = self.client
        provider.cache_clear()

    def logout_claims(self, **changes: Any) -> dict[str, Any]:
        """Sound ones for the session that `sign_in` begins, with changes."""
        now = int(time.time())
        claims = {"iss": self.provider.issuer, "aud": CLIENT_ID, "iat": now, "exp": now + 120}
        claims |= {"jti": f"logout-{next(_jti)}", "sub": "victim", "sid": "s1", "events": EVENT}
        return {name: value for name, value in (claims | changes).items() if value is not GONE}

    def tell(self, token: str = "", **changes: Any) -> HttpResponse:
        """As the provider's server: no cookies, no CSRF token."""
        server = SignedInClient(enforce_csrf_checks=True, raise_request_exception=False)
        token = token or sign(self.logout_claims(**changes))
        return server.post(
            ADDRESS,
            f"logout_token={token}",
            content_type="application/x-www-form-urlencoded",
        )

    def is_in(self, browser: SignedInClient | None = None) -> bool:
        return (browser or self.browser).get("/requests/").status_code == 200

    def another_browser(self, **claims: Any) -> SignedInClient:
        self.client = SignedInClient()
        self.sign_in(**claims)
        return self.client


class BackChannelTests(BackChannelTestCase):
    def test_the_session_of_that_sid_ends_at_once_and_no_other(self) -> None:
        self.sign_in(sid="s1")
        same, another = self.another_browser(sid="s1"), self.another_browser(sid="s2")
        answer = self.tell(sub=GONE)
        self.assertEqual((answer.status_code, answer.content), (200, b""))
        self.assertIn("no-store", answer["Cache-Control"])
        self.assertEqual(
            (self.is_in(), self.is_in(same), self.is_in(another)), (False, False, True)
        )

    def test_all_sessions_of_a_person_end(self) -> None:
        self.sign_in(sid="s1")
        second, other = self.another_browser(sid="s2"), self.another_browser(sub="ben", sid="s3")
        self.assertEqual(self.tell(sid=GONE).status_code, 200)
        self.assertEqual(
            (self.is_in(), self.is_in(second), self.is_in(other)), (False, False, True)
        )

    def test_a_session_whose_sid_was_never_told_ends_with_its_person(self) -> None:
        self.sign_in(sid=GONE)
        self.assertEqual(self.tell(sid="s1").status_code, 200)
        self.assertFalse(self.is_in())

    def test_somebody_of_another_issuer_is_somebody_else(self) -> None:
        namesake = SignedInClient(person("victim", "support"))
        self.assertEqual(self.tell(sid=GONE).status_code, 200)
        self.assertTrue(self.is_in(namesake))

    def test_nobody_signed_in_is_nothing_to_end(self) -> None:
        self.assertEqual(self.tell().status_code, 200)

    def test_it_is_in_the_log(self) -> None:
        self.sign_in(name="Ada Byron", sid="s1")
        self.another_browser(name="Ada Byron", sid="s1")
        with self.assertLogs("hubadmin.sso") as logs:
            self.tell()
        self.assertEqual(logs.records[0].getMessage(), "session ended")
        self.assertEqual(
            told("user_name", "why", "sessions")[-1],
            ("session_ended", "Ada Byron", "the provider ended it", 2),
        )

    def test_the_silent_check_moves_a_session_to_another_sid(self) -> None:
        self.sign_in(sid="s1")
        with later(16 * MINUTE):
            self.come_back(self.go("/requests/"), sid="s2")
            self.tell(sid="s1")
            self.assertTrue(self.is_in())
            self.tell(sid="s2")
            self.assertFalse(self.is_in())

    def test_a_sign_in_under_way_does_not_get_in(self) -> None:
        for named in ({"sid": "s1"}, {"sid": GONE}, {"sub": GONE}):
            with self.subTest(named=named):
                asked = self.go()
                self.assertEqual(self.tell(**named).status_code, 200)
                answer = self.come_back(asked, sid="s1", iat=int(time.time()) - 1)
                self.assertEqual(answer.status_code, 403)
                self.assertFalse(self.is_in())
        self.sign_in(sid="s2", iat=int(time.time()) + 1)

    def test_a_session_that_goes_on_at_the_provider_may_come_again(self) -> None:
        self.sign_in(sid="s1")
        self.tell()
        self.assertFalse(self.is_in())
        ProviderLogout.objects.update(issued_at=time.time() - 2 * MINUTE)
        self.sign_in(sid="s1")
        self.assertTrue(self.is_in())

    def test_a_silent_check_under_way_does_not_keep_anybody_in(self) -> None:
        self.sign_in(sid="s1")
        with later(16 * MINUTE):
            asked = self.go("/requests/")
            self.tell()
            self.come_back(asked, sid="s1")
            self.assertFalse(self.is_in())

    def test_whoever_is_being_answered_cannot_revive_it(self) -> None:
        self.sign_in(sid="s1")
        held = self.browser.session
        self.assertIn("sso", held)  # read, as by a request under way
        self.tell()
        held["draft"] = {"typed": "meanwhile"}
        with self.assertRaises(UpdateError):
            held.save()
        self.assertFalse(Session.objects.exists())

    def test_a_key_that_was_rotated(self) -> None:
        self.sign_in(sid="s1")
        self.provider.keys = forgery.jwks(new=OTHER)
        token = sign(self.logout_claims(), key=OTHER, kid="new")
        self.assertEqual(self.tell(token).status_code, 200)
        self.assertFalse(self.is_in())

    def test_whoever_names_unknown_keys_has_the_provider_asked_once_in_a_while(self) -> None:
        self.sign_in()
        self.provider.requests.clear()
        for number in range(5):
            self.tell(sign(self.logout_claims(), key=OTHER, kid=f"k{number}"))
        self.assertLessEqual(len(self.provider.asked("/jwks")), 1)
        self.assertGreater(oidc_provider.KEYS_COOLDOWN, 0)

    def test_a_provider_that_cannot_be_asked(self) -> None:
        self.provider.down = {"/jwks"}
        with self.assertLogs("hubadmin.sso", "WARNING"):
            self.assertEqual(self.tell().status_code, 400)

    def test_what_is_noted_goes_with_the_session_and_in_time(self) -> None:
        self.sign_in(sid="s1")
        self.assertEqual(ProviderSession.objects.get().sid, "s1")
        self.client.post("/sign-out")
        self.assertFalse(ProviderSession.objects.exists())
        self.tell()
        ProviderLogout.objects.update(issued_at=time.time() - 2 * back_channel.MAX_AGE - 1)
        self.tell()
        self.assertEqual(ProviderLogout.objects.count(), 1)

    def test_a_page_asks_the_database_no_more_for_it(self) -> None:
        self.sign_in(sid="s1")
        with CaptureQueriesContext(connection) as queries:
            self.assertTrue(self.is_in())
        self.assertNotIn("hubadmin_provider", str(queries.captured_queries))

    def test_it_is_there_in_its_mode_only(self) -> None:
        for mode in ("", "header", "assertion", "demo"):
            with self.settings(SSO_MODE=mode):
                self.assertEqual(self.tell().status_code, 404)


def _claiming(**changes: Any) -> Variant:
    return lambda test: test.tell(sign(test.logout_claims(**changes)))


def _signed(**how: Any) -> Variant:
    return lambda test: test.tell(sign(test.logout_claims(), **how))


def _unsigned(alg: str | None, signature: bytes = b"") -> Variant:
    return lambda test: test.tell(forgery.unsigned(test.logout_claims(), alg, signature))


def _in(seconds: int) -> int:
    return int(time.time()) + seconds


def _posted(body: Callable[[str], str], content_type: str) -> Variant:
    def variant(test: BackChannelTestCase) -> HttpResponse:
        token = sign(test.logout_claims())
        return SignedInClient().post(ADDRESS, body(token), content_type=content_type)

    return variant


def _again(test: BackChannelTestCase) -> HttpResponse:
    """The same token once more, for a session begun since."""
    token = sign(test.logout_claims(sid=GONE))
    test.client = SignedInClient()
    assert test.tell(token).status_code == 200
    test.sign_in(sid="s9", iat=_in(1))
    test.browser = test.client
    return test.tell(token)


FORM = "application/x-www-form-urlencoded"
# Where a name begins with a claim's, that claim has to be the reason of the refusal.
VARIANTS: dict[str, Variant] = {
    f"{claim} {value!a:.20}": _claiming(**{claim: value})
    for claim in ("iss", "sub", "sid", "jti")
    for value in NO_TEXT
}
VARIANTS |= {
    f"{claim} {value!r}": _claiming(**{claim: value})
    for claim in ("aud", "events")
    for value in (None, "", 5, True, [], {}, ["another"], {"another": {}})
}
VARIANTS |= {
    f"{claim} {value!r:.20}": _claiming(**{claim: value})
    for claim in ("iat", "exp")
    for value in (None, "", "5", True, [], {}, float("nan"), float("-inf"), -1)
}
VARIANTS |= {
    f"{claim} missing": _claiming(**{claim: GONE})
    for claim in ("iss", "aud", "iat", "exp", "jti", "events")
}
VARIANTS |= {
    "sub and sid missing": _claiming(sub=GONE, sid=GONE),
    "iss another": _claiming(iss=ELSEWHERE),
    "aud another": _claiming(aud="another"),
    "aud another besides": _claiming(aud=[CLIENT_ID, "another"]),
    "issued in time to come": _claiming(iat=_in(3600), exp=_in(7200)),
    "iat long ago": _claiming(iat=_in(-3600)),
    "issued at the end of time": _claiming(iat=10**400),
    "exp past": _claiming(exp=_in(-3600)),
    "events of another kind": _claiming(events={"https://elsewhere.example/event": {}}),
    "events with no object": _claiming(events={next(iter(EVENT)): True}),
    "nonce present": _claiming(nonce="n"),
    "nonce null": _claiming(nonce=None),
    "an ID token": _claiming(events=GONE, nonce="n"),
    "jti of before": _again,
    "claims a list": lambda test: test.tell(sign(b"[]")),
    "claims nested deep": lambda test: test.tell(sign(b"[" * 9_000)),
    "claims tampered with": lambda test: test.tell(
        forgery.tampered(test.logout_claims(sub="another"), sub="victim")
    ),
    "alg none": _unsigned("none"),
    "alg None": _unsigned("None"),
    "alg missing": _unsigned(None),
    "HS256 by the public key": _signed(key=GOOD_PEM, alg="HS256"),
    "HS256 by the client's secret": _signed(key=CLIENT_SECRET.encode(), alg="HS256"),
    "signature empty": _unsigned("RS256"),
    "signed by another key of the same name": _signed(key=OTHER),
    "signed by another key of another name": _signed(key=OTHER, kid="other"),
    "own key in the header": _signed(
        key=OTHER_EC, alg="ES256", kid="own", header={"jwk": forgery.jwk(OTHER_EC)}
    ),
    "own key by an address": _signed(key=OTHER, header={"jku": f"{ELSEWHERE}/jwks"}),
    "crit unknown": _signed(header={"crit": ["unknown"], "unknown": 1}),
    "no token": _posted(lambda token: "", FORM),
    "an empty token": _posted(lambda token: "logout_token=", FORM),
    "not a token": _posted(lambda token: "logout_token=a.b.c", FORM),
    "two tokens": _posted(lambda token: f"logout_token={token}&logout_token={token}", FORM),
    "a token as JSON": _posted(lambda token: f'{{"logout_token": "{token}"}}', "application/json"),
    "a token as text": _posted(lambda token: f"logout_token={token}", "text/plain"),
    "in the address": lambda test: SignedInClient().post(
        f"{ADDRESS}?logout_token={sign(test.logout_claims())}"
    ),
    "too long a token": _claiming(more="x" * 20_000),
    "a huge body": _posted(lambda token: f"logout_token={token}&x={'x' * 2_000_000}", FORM),
    "by GET": lambda test: SignedInClient().get(
        ADDRESS, {"logout_token": sign(test.logout_claims())}
    ),
}
STATUSES = {"a huge body": 413, "by GET": 405}
CLAIMS = {"iss", "sub", "aud", "exp", "iat", "sid", "jti", "events", "nonce"}


@tag("one_database")
class HostileLogoutTests(BackChannelTestCase):
    def test_the_control_ends_the_session(self) -> None:
        for changes in ({}, {"aud": [CLIENT_ID]}, {"sub": GONE}, {"sid": GONE}):
            with self.subTest(changes=changes):
                self.browser = self.another_browser(sid="s1", iat=_in(1))
                self.assertEqual(self.tell(**changes).status_code, 200)
                self.assertFalse(self.is_in())
                ProviderLogout.objects.all().delete()

    def test_no_hostile_token_ends_anything(self) -> None:
        self.sign_in(sid="s1")
        for name, variant in VARIANTS.items():
            with self.subTest(name):
                provider()._looked_at = 0.0
                with self.assertLogs("hubadmin", "INFO") as logs:
                    answer = variant(self)
                self.assertEqual(answer.status_code, STATUSES.get(name, 400))
                self.assertTrue(self.is_in(), "it ended the session")
                why = [getattr(record, "why", "") for record in logs.records]
                if (claim := name.split()[0]) in CLAIMS:
                    self.assertIn(claim, " ".join(why))

    def test_what_is_refused_says_why_in_the_log_and_to_nobody_else(self) -> None:
        with self.assertLogs("hubadmin.sso", "WARNING") as logs:
            answer = self.tell(aud="another")
        self.assertEqual(answer.json(), {"error": "invalid_request"})
        self.assertIn("no-store", answer["Cache-Control"])
        self.assertEqual(logs.records[0].getMessage(), "logout token refused")
        self.assertIn("aud", logs.records[0].why)

    def test_a_database_that_keeps_nothing_refuses_no_token(self) -> None:
        with read_only_database(), self.assertLogs("hubadmin", "WARNING") as logs:
            answer = self.tell()
        self.assertEqual((answer.status_code, answer.json()), (400, {"error": "invalid_request"}))
        told = [each.getMessage() for each in logs.records]
        self.assertEqual(told, ["the database cannot be used"])
