"""What the checks say of each mode's settings: which one is wrong, by its name."""

from typing import Any

from django.test import override_settings

from tests.hubadmin.test_checks import CheckTestCase

SECRET = "s" * 32
# Every setting that belongs to one mode alone, with a value that is good there.
OWN = {
    "oidc": {
        "SSO_CLIENT_ID": "hubadmin",
        "SSO_CLIENT_SECRET": "secret",
        "SSO_DISCOVERY_URL": "https://id.example.com/openid",
    },
    "assertion": {
        "SSO_ASSERTION_HEADER": "Cf-Access-Jwt-Assertion",
        "SSO_AUDIENCE": "a1b2c3",
        "SSO_KEYS_URL": "https://id.example.com/certs",
        "SSO_ALB_ARN": "arn:aws:elasticloadbalancing:eu-central-1:1:loadbalancer/app/hub/1",
    },
    "header": {"SSO_HEADER_SECRET": SECRET},
}
NEITHER = {name: "" for own in OWN.values() for name in own}
# What each cannot do without.
LEAST = {
    "oidc": {
        "SSO_ISSUER": "https://id.example.com",
        "SSO_CLIENT_ID": "hubadmin",
        "SSO_CLIENT_SECRET": "secret",
    },
    "assertion": {
        "SSO_ISSUER": "https://id.example.com",
        "SSO_ASSERTION_HEADER": "Cf-Access-Jwt-Assertion",
        "SSO_AUDIENCE": "a1b2c3",
        "SSO_KEYS_URL": "https://id.example.com/certs",
    },
    "header": {"SSO_ISSUER": "apache", "SSO_HEADER_SECRET": SECRET},
}


class ModeTestCase(CheckTestCase):
    def least(self, mode: str, **changed: Any) -> dict[str, Any]:
        return NEITHER | LEAST[mode] | {"SSO_MODE": mode, "TRUSTED_PROXY_COUNT": 1} | changed

    def assert_names(self, check: str, *names: str, mode: str = "oidc", **changed: Any) -> None:
        """One message, of this check, that names these settings."""
        found = self.messages(**self.least(mode, **changed))
        self.assertEqual([message.id for message in found], [f"hubadmin.{check}"])
        for name in names:
            self.assertIn(name, found[0].msg)

    def assert_silent(self, mode: str, **changed: Any) -> None:
        self.assertEqual(self.messages(**self.least(mode, **changed)), [])


class ModeTests(ModeTestCase):
    def test_the_least_of_each_mode_is_enough(self) -> None:
        for mode in LEAST:
            with self.subTest(mode):
                self.assert_silent(mode)

    def test_without_a_mode_or_with_an_unknown_one(self) -> None:
        for mode in ("", "OIDC", "saml", "demo", "oidc "):
            with self.subTest(mode):
                self.assert_names("E020", "SSO_MODE", "oidc, assertion or header", SSO_MODE=mode)

    def test_the_demo_has_a_sign_in_of_its_own(self) -> None:
        self.assertEqual(self.messages(**NEITHER, SSO_MODE="demo", DEMO=True), [])

    def test_what_a_mode_needs(self) -> None:
        for mode, least in LEAST.items():
            for name in least:
                with self.subTest(mode, name=name):
                    self.assert_names("E021", name, f"SSO_MODE={mode}", mode=mode, **{name: ""})

    def test_all_that_is_missing_is_told_at_once(self) -> None:
        for mode, least in LEAST.items():
            found = self.messages(**self.least(mode, **dict.fromkeys(least, "")))
            self.assertEqual(len([m for m in found if m.id == "hubadmin.E021"]), len(least))

    def test_what_belongs_to_another_mode_contradicts(self) -> None:
        for mode in OWN:
            for other in OWN.keys() - {mode}:
                for name, value in OWN[other].items():
                    with self.subTest(mode, name=name):
                        said = (name, f"SSO_MODE={other}", f"SSO_MODE is {mode}")
                        self.assert_names("E022", *said, mode=mode, **{name: value})

    def test_what_belongs_to_it_does_not(self) -> None:
        for mode, own in OWN.items():
            self.assert_silent(mode, **own)


class ValueTests(ModeTestCase):
    def test_addresses_are_https(self) -> None:
        for mode, names in (
            ("oidc", ("SSO_ISSUER", "SSO_DISCOVERY_URL")),
            ("assertion", ("SSO_KEYS_URL",)),
        ):
            for name in names:
                for value in ("http://id.example.com", "id.example.com", "ftp://id", "https://"):
                    with self.subTest(name, value=value):
                        self.assert_names("E023", name, value, mode=mode, **{name: value})
                self.assert_silent(mode, **{name: "http://127.0.0.1:8000/realm"})

    def test_names_of_headers(self) -> None:
        headers = ("SECRET", "SUBJECT", "EMAIL", "NAME", "GROUPS")
        names = {f"SSO_{kind}_HEADER": "header" for kind in headers}
        for name, mode in ({"SSO_ASSERTION_HEADER": "assertion"} | names).items():
            for value in ("X_SSO", "X SSO", "X-SSO:", "HTTP_X", "X-SSO\n", "X-\u00e9"):
                with self.subTest(name, value=value):
                    self.assert_names("E024", name, repr(value), mode=mode, **{name: value})
            self.assert_silent(mode, **{name: "X-Other-1"})

    def test_headers_without_a_name(self) -> None:
        for name in ("SSO_SECRET_HEADER", "SSO_SUBJECT_HEADER", "SSO_GROUPS_HEADER"):
            self.assert_names("E024", name, mode="header", **{name: ""})
        for name in ("SSO_EMAIL_HEADER", "SSO_NAME_HEADER"):
            self.assert_silent("header", **{name: ""})

    def test_what_stands_behind_a_proxy_knows_of_one(self) -> None:
        for mode in ("assertion", "header"):
            self.assert_names("E033", "TRUSTED_PROXY_COUNT", mode=mode, TRUSTED_PROXY_COUNT=0)
        self.assert_silent("oidc", TRUSTED_PROXY_COUNT=0)

    def test_where_a_sign_out_leads(self) -> None:
        for value in ("login.example.com/out", "http://login.example.com/out", "javascript:x"):
            self.assert_names("E032", repr(value), SSO_SIGN_OUT_URL=value)
        for value in ("/oauth2/sign_out", "https://login.example.com/out"):
            self.assert_silent("oidc", SSO_SIGN_OUT_URL=value)

    def test_a_secret_that_no_header_carries(self) -> None:
        for value in (f"{SECRET} {SECRET}", f"{SECRET}\n", f"{SECRET}\u00e9"):
            self.assert_names("E034", mode="header", SSO_HEADER_SECRET=value)

    def test_some_claim_holds_the_groups(self) -> None:
        for mode in ("oidc", "assertion"):
            self.assert_names("E035", "SSO_GROUPS_CLAIM", mode=mode, SSO_GROUPS_CLAIM="")

    def test_the_headers_secret_is_long_and_not_shown(self) -> None:
        short = "hidden" + "x" * 25
        self.assert_names("E025", "SSO_HEADER_SECRET", mode="header", SSO_HEADER_SECRET=short)
        for message in self.messages(**self.least("header", SSO_HEADER_SECRET=short)):
            self.assertNotIn("hidden", str(message))
        self.assert_silent("oidc", SSO_CLIENT_SECRET="as short as the provider likes")

    def test_something_stands_between_two_groups(self) -> None:
        for separator in ("", " ", "\t"):
            self.assert_names(
                "E026", "SSO_GROUPS_SEPARATOR", mode="header", SSO_GROUPS_SEPARATOR=separator
            )
        self.assert_silent("header", SSO_GROUPS_SEPARATOR=",")

    def test_the_algorithm_is_one_that_no_reader_of_a_key_can_sign_with(self) -> None:
        for algorithm in ("none", "None", "HS256", "rs256", "", "RS256,HS256"):
            with self.subTest(algorithm):
                self.assert_names(
                    "E027", "SSO_ALGORITHM", mode="assertion", SSO_ALGORITHM=algorithm
                )
        self.assert_silent("assertion", SSO_ALGORITHM="ES256")

    def test_the_scopes_ask_for_an_id_token(self) -> None:
        for scopes in ("", "profile email", "openidconnect"):
            self.assert_names("E028", "SSO_SCOPES", SSO_SCOPES=scopes)
        self.assert_silent("oidc", SSO_SCOPES="email openid")


class RoleTests(ModeTestCase):
    def test_some_group_opens_the_door(self) -> None:
        for mode in LEAST:
            none = {"SSO_SUPPORT_GROUPS": [], "SSO_ADMIN_GROUPS": []}
            self.assert_names("E029", *none, mode=mode, **none)
            self.assert_silent(mode, **none | {"SSO_ADMIN_GROUPS": ["admins"]})

    def test_no_group_gives_both_roles(self) -> None:
        both = {"SSO_SUPPORT_GROUPS": ["a", "staff"], "SSO_ADMIN_GROUPS": ["staff", "b"]}
        self.assert_names("E030", *both, "staff", **both)
        self.assert_silent("oidc", SSO_SUPPORT_GROUPS=["a"], SSO_ADMIN_GROUPS=["A"])


class NumberTests(ModeTestCase):
    def test_times_are_above_nothing_and_the_recheck_comes_within_the_sign_in(self) -> None:
        names = ("SSO_RECHECK_SECONDS", "SSO_IDLE_SECONDS", "SSO_SESSION_SECONDS")
        for name in names:
            for value in (0, -1):
                with self.subTest(name, value=value):
                    self.assert_names("E031", *names, **{name: value})
        self.assert_names("E031", SSO_RECHECK_SECONDS=61, SSO_SESSION_SECONDS=60)
        self.assert_silent("oidc", SSO_RECHECK_SECONDS=60, SSO_SESSION_SECONDS=60)

    def test_no_limit_is_below_0(self) -> None:
        for name in (
            "SUBMITS_PER_PERSON_PER_MINUTE",
            "FINDS_PER_PERSON_PER_HOUR",
            "HUBSPOT_SEARCHES_PER_SECOND",
        ):
            self.assert_names("E009", name, **{name: -1})
            self.assert_silent("oidc", **{name: 0})


class SecretFileTests(ModeTestCase):
    def test_what_went_wrong_as_the_secrets_were_read(self) -> None:
        sentence = "SECRET_KEY_FILE is '/nowhere', which cannot be read."
        self.assert_names("E010", sentence, PROBLEMS=[sentence])


class ServingTests(ModeTestCase):
    def test_other_commands_need_none_of_it(self) -> None:
        with override_settings(SSO_MODE="", SSO_SUPPORT_GROUPS=[], SSO_RECHECK_SECONDS=0):
            found = self.messages(serving=False)
        self.assertEqual(found, [])
