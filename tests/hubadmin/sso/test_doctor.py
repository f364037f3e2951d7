"""What `manage.py doctor` tries of signing in, against providers that are there, or not quite."""

from django.test import SimpleTestCase, override_settings

from hubadmin.sso.doctor import look
from hubadmin.web.doctor import Level
from tests.hubadmin.broken_servers import PAGE, answering, listening, refused
from tests.hubadmin.sso.test_proxy_headers import SECRET
from tests.identity.hostile import DISCOVERY, HostileProvider


class DoctorTestCase(SimpleTestCase):
    def setUp(self) -> None:
        self.provider = self.enterContext(HostileProvider())

    def told(self, **settings: str) -> tuple[str, str]:
        """The worst level, and all that was said."""
        with override_settings(**settings):
            found = list(look())
        worst = max((each.level for each in found), key=[*Level].index)
        return worst, " ".join(f"{each.text} {each.advice}" for each in found)

    def assert_failed(self, *said: str, **settings: str) -> None:
        level, told = self.told(**settings)
        self.assertEqual(level, Level.FAILED, told)
        for each in said:
            self.assertIn(each, told)


class OidcTests(DoctorTestCase):
    def assert_failed(self, *said: str, **settings: str) -> None:
        ours = {"SSO_MODE": "oidc", "SSO_ISSUER": self.provider.issuer, "SSO_DISCOVERY_URL": ""}
        super().assert_failed(*said, **ours | settings)

    def test_a_good_one(self) -> None:
        level, told = self.told(
            SSO_MODE="oidc", SSO_ISSUER=self.provider.issuer, SSO_DISCOVERY_URL=""
        )
        self.assertEqual(level, Level.OK, told)
        self.assertIn("clock agrees", told)
        self.assertIn("2 keys that can be used", told)

    def test_another_issuer(self) -> None:
        self.provider.metadata = {"issuer": "https://other.example.com"}
        self.assert_failed("discovery names the issuer 'https://other.example.com'")

    def test_what_is_no_discovery_document(self) -> None:
        with listening(PAGE) as page:
            self.assert_failed("something else than JSON", SSO_DISCOVERY_URL=f"{page}/x")
        with listening(answering(body=b"[]")) as odd:
            self.assert_failed("cannot be had", SSO_DISCOVERY_URL=f"{odd}/x")
        for status, words in ((401, "unauthorized"), (404, "not found"), (302, "302")):
            with self.subTest(status), listening(answering(status)) as address:
                self.assert_failed(SSO_DISCOVERY_URL=f"{address}/x")
                if status > 400:
                    self.assert_failed(words, SSO_DISCOVERY_URL=f"{address}/x")
        self.assert_failed("connection refused", SSO_DISCOVERY_URL=f"{refused()}/x")
        self.provider.down = {DISCOVERY}
        self.assert_failed("HTTP 503")

    def test_without_an_endpoint_and_without_keys(self) -> None:
        self.provider.metadata = {"jwks_uri": None}
        self.assert_failed("does not tell 'jwks_uri'")
        self.provider.metadata = {"jwks_uri": "http://keys.example.com/"}
        self.assert_failed("is not an https address")
        self.provider.reset()
        self.provider.keys = {"keys": [{"kty": "odd"}]}
        self.assert_failed("shows no key that can be used")

    def test_a_clock_that_differs_by_hours(self) -> None:
        with listening(answering(ago=7200)) as address:
            self.assert_failed("seconds ahead of", SSO_DISCOVERY_URL=f"{address}/x")


class OtherModesTests(DoctorTestCase):
    def assertion(self, address: str = "", **more: str) -> dict[str, str]:
        return {
            "SSO_MODE": "assertion",
            "SSO_KEYS_URL": address or f"{self.provider.issuer}/jwks",
        } | more

    def test_a_gateways_keys(self) -> None:
        level, told = self.told(**self.assertion())
        self.assertEqual(level, Level.OK, told)
        self.assertIn("2 keys", told)
        self.assert_failed("HTTP 404", **self.assertion(f"{self.provider.issuer}/nowhere"))
        self.assert_failed("connection refused", **self.assertion(refused()))
        with listening(PAGE) as page:
            self.assert_failed("something else than JSON", **self.assertion(page))
        self.provider.keys = {"keys": []}
        self.assert_failed("no key that can be used", **self.assertion())

    def test_a_load_balancers_keys_have_addresses_of_their_own(self) -> None:
        balancer = self.assertion(f"{self.provider.issuer}/keys", SSO_ALB_ARN="arn")
        self.assertEqual(self.told(**balancer)[0], Level.OK)

    def test_a_proxys_secret_is_not_shown(self) -> None:
        level, told = self.told(SSO_MODE="header", SSO_HEADER_SECRET=SECRET)
        self.assertEqual(level, Level.OK)
        self.assertNotIn(SECRET, told)
