"""Tokens of a gateway: good ones, bad ones, and its keys coming, going and failing."""

import base64
import json
import time
from typing import Any
from unittest import mock

from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from django.http import HttpResponse
from django.test import TestCase, override_settings

from hubadmin.models import User
from hubadmin.sso import gateway_token
from tests.identity import forgery
from tests.identity.forgery import GOOD_EC, GOOD_PEM, OTHER, sign, unsigned
from tests.identity.hostile import GONE, HostileProvider
from tests.support import SignedInClient

ISSUER, AUDIENCE = "https://team.cloudflareaccess.example", "a1b2c3"
ARN = "arn:aws:elasticloadbalancing:eu-central-1:123456789012:loadbalancer/app/hub/50dc6c495c0c9188"


def claims(**changes: Any) -> dict[str, Any]:
    now = int(time.time())
    all_claims = {
        "iss": ISSUER,
        "aud": [AUDIENCE],
        "sub": "7335d417-61da-459d-899c-0a01c76a2f94",
        "iat": now,
        "exp": now + 60,
        "email": "ada@example.com",
        "custom": {"groups": ["others", "support"]},
    } | changes
    return {name: value for name, value in all_claims.items() if value is not GONE}


class GatewayTestCase(TestCase):
    SETTINGS: dict[str, str] = {}

    @classmethod
    def setUpClass(cls) -> None:
        super().setUpClass()
        cls.gateway = cls.enterClassContext(HostileProvider())
        ours = {
            "SSO_MODE": "assertion",
            "SSO_ISSUER": ISSUER,
            "SSO_AUDIENCE": AUDIENCE,
            "SSO_KEYS_URL": f"{cls.gateway.issuer}/jwks",
            "SSO_ASSERTION_HEADER": "Cf-Access-Jwt-Assertion",
            "SSO_GROUPS_CLAIM": "custom.groups",
        }
        cls.enterClassContext(override_settings(**ours | cls.SETTINGS))

    def setUp(self) -> None:
        self.gateway.reset()
        gateway_token._key_set.cache_clear()
        gateway_token._load_balancer_key.cache_clear()
        self.client = SignedInClient()

    def get(self, token: str | None) -> HttpResponse:
        headers = {} if token is None else {"Cf-Access-Jwt-Assertion": token}
        return self.client.get("/requests/", headers=headers)


class AssertionTests(GatewayTestCase):
    def test_a_good_token_says_who_it_is(self) -> None:
        self.assertContains(self.get(sign(claims())), "ada@example.com")
        user = User.objects.get()
        self.assertEqual((user.issuer, user.role), (ISSUER, "support"))
        self.assertEqual(len(self.gateway.asked("/jwks")), 1)
        self.get(sign(claims()))
        self.assertEqual(len(self.gateway.asked("/jwks")), 1)

    def test_it_is_checked_with_every_request(self) -> None:
        self.assertEqual(self.get(sign(claims())).status_code, 200)
        self.assertEqual(self.get(None).status_code, 302)
        self.assertEqual(self.get(sign(claims(exp=int(time.time()) - 61))).status_code, 403)
        self.assertEqual(self.get(sign(claims(custom={}))).status_code, 403)

    def test_a_minute_of_leeway(self) -> None:
        self.assertEqual(self.get(sign(claims(exp=int(time.time()) - 50))).status_code, 200)

    def test_bad_tokens_are_refused(self) -> None:
        now = int(time.time())
        bad = {
            "expired": sign(claims(exp=now - 120)),
            "exp missing": sign(claims(exp=GONE)),
            "exp a text": sign(claims(exp="tomorrow")),
            "iat missing": sign(claims(iat=GONE)),
            "iat to come": sign(claims(iat=now + 3600, exp=now + 7200)),
            "nbf to come": sign(claims(nbf=now + 3600, exp=now + 7200)),
            "aud another": sign(claims(aud=["another"])),
            "aud missing": sign(claims(aud=GONE)),
            "iss another": sign(claims(iss="https://other.cloudflareaccess.example")),
            "iss missing": sign(claims(iss=GONE)),
            "sub missing": sign(claims(sub=GONE)),
            "sub empty, as a service's": sign(claims(sub="", common_name="service")),
            "sub a number": sign(claims(sub=7)),
            "another key of the same name": sign(claims(), key=OTHER),
            "a key of no known name": sign(claims(), key=OTHER, kid="other"),
            "no name of a key": sign(claims(), kid=None),
            "another algorithm, sound": sign(claims(), key=GOOD_EC, alg="ES256", kid="good_ec"),
            "another size": sign(claims(), alg="RS512"),
            "alg none": unsigned(claims()),
            "HS256 by the public key": sign(claims(), key=GOOD_PEM, alg="HS256"),
            "own key in the header": sign(claims(), key=OTHER, header={"jwk": forgery.jwk(OTHER)}),
            "tampered with": forgery.tampered(claims(), custom={"groups": ["admin"]}),
            "claims a list": sign([1]),
            "claims not JSON": sign(b"{"),
            "nested deep": sign(b"[" * 4000),
            "header nested deep": forgery.encoded(b"[" * 4000) + ".e30.x",
            "a path as the key's name": sign(claims(), kid="../../x"),
            "garbage": "x",
            "not ASCII": "ä.ö.ü",
            "long": "a" * 8000,
        }
        for name, token in bad.items():
            with self.subTest(name), self.assertLogs("hubadmin.sso", "WARNING"):
                answer = self.get(token)
                self.assertContains(answer, "opens only through", status_code=403)
        self.assertFalse(User.objects.exists())

    def test_keys_rotated(self) -> None:
        self.get(sign(claims()))
        self.gateway.keys = forgery.jwks(new=OTHER)
        token = sign(claims(), key=OTHER, kid="new")
        with mock.patch("jwt.jwks_client.time") as clock:
            clock.monotonic.return_value = time.monotonic() + gateway_token.KEYS_COOLDOWN + 1
            self.assertEqual(self.get(token).status_code, 200)
            self.assertEqual(self.get(sign(claims())).status_code, 403, "the old one is gone")

    def test_unknown_keys_do_not_make_us_ask_again_and_again(self) -> None:
        for number in range(20):
            self.get(sign(claims(), key=OTHER, kid=f"k{number}"))
        self.assertLessEqual(len(self.gateway.asked("/jwks")), 2)

    def test_keys_down_at_a_cold_start_and_then_well_again(self) -> None:
        for attribute in ("down", "dead"):
            setattr(self.gateway, attribute, {"/jwks"})
            with self.subTest(attribute), self.assertLogs("hubadmin.sso", "WARNING"):
                answer = self.get(sign(claims()))
                self.assertContains(answer, "not possible at the moment", status_code=503)
            self.gateway.reset()
        for keys in ("<html>", {"keys": []}):
            self.gateway.keys = keys
            self.assertEqual(self.get(sign(claims())).status_code, 503)
        self.gateway.reset()
        self.assertEqual(self.get(sign(claims())).status_code, 200)
        self.gateway.down = {"/jwks"}
        self.assertEqual(self.get(sign(claims())).status_code, 200, "the keys are known already")


class LoadBalancerTests(GatewayTestCase):
    """Tokens as an AWS load balancer makes them: padded, and most of it in the header."""

    SETTINGS = {"SSO_ALB_ARN": ARN, "SSO_AUDIENCE": "client", "SSO_ALGORITHM": "ES256"}

    def setUp(self) -> None:
        super().setUp()
        pem = GOOD_EC.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
        original = HostileProvider.answer

        def answer(provider: HostileProvider, path: str, form: dict[str, str]) -> tuple[int, Any]:
            return (200, pem) if path == "/jwks/good" else original(provider, path, form)

        self.enterContext(mock.patch.object(HostileProvider, "answer", answer))

    def token(
        self, key: Any = GOOD_EC, kid: str = "good", padded: bool = True, **header: Any
    ) -> str:
        names = {"signer": ARN, "iss": ISSUER, "client": "client", "exp": int(time.time()) + 120}
        names = {"alg": "ES256", "kid": kid} | names | header
        own = {"sub": "u1", "email": "ada@example.com", "custom": {"groups": "support"}}

        def part(data: bytes) -> str:
            whole = base64.urlsafe_b64encode(data)
            return (whole if padded else whole.rstrip(b"=")).decode()

        signed = f"{part(json.dumps(names).encode())}.{part(json.dumps(own).encode())}"
        return f"{signed}.{part(forgery.ALGORITHMS['ES256'].sign(signed.encode(), key))}"

    def test_its_token_says_who_it_is(self) -> None:
        for padded in (True, False):
            answer = self.get(self.token(padded=padded))
            self.assertContains(answer, "ada@example.com")
        self.assertEqual(len(self.gateway.asked("/jwks/good")), 1)

    def test_another_load_balancers_or_an_old_one_is_refused(self) -> None:
        for header in (
            {"signer": ARN[:-1]},
            {"signer": None},
            {"client": "another"},
            {"iss": "https://other.example"},
            {"exp": int(time.time()) - 120},
            {"exp": None},
            {"exp": "never"},
            {"kid": "other"},
            {"kid": "../x"},
            {"key": forgery.OTHER_EC},
        ):
            with self.subTest(header=header):
                self.assertEqual(self.get(self.token(**header)).status_code, 403)

    def test_signing_out_ends_the_load_balancers_session(self) -> None:
        self.get(self.token())
        headers = {"Cf-Access-Jwt-Assertion": self.token()}
        cookies = self.client.post("/sign-out", headers=headers).cookies
        for number in range(4):
            cookie = cookies[f"AWSELBAuthSessionCookie-{number}"]
            self.assertEqual((cookie.value, cookie["max-age"], cookie["path"]), ("", 0, "/"))

    def test_its_keys_down(self) -> None:
        with mock.patch.object(HostileProvider, "answer", lambda *args: (503, "")):
            self.assertEqual(self.get(self.token()).status_code, 503)
