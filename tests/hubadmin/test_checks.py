from django.core.checks import CheckMessage, Info, Warning, run_checks
from django.test import SimpleTestCase, override_settings

from associations.checks import AT_LEAST_ONE
from hubadmin.receivers import receivers

RIGHT = {
    "SECRET_KEY": "k" * 60,
    "ALLOWED_HOSTS": ["hub.example.com"],
    "HUBSPOT_API_BASE_URL": "https://api.hubapi.com",
    "HUBSPOT_ACCESS_TOKEN": "pat-na1-00000000-aaaa-bbbb-cccc-000000000000",
    "HUBSPOT_API_VERSION": "2026-09",
    "SSO_SUPPORT_GROUPS": ["support"],
    "SSO_ADMIN_GROUPS": [],
}


class CheckTestCase(SimpleTestCase):
    def messages(self, *, serving: bool = True, **changed: object) -> list[CheckMessage]:
        """What our own checks say; `serving` as when gunicorn starts."""
        with override_settings(**RIGHT | changed):
            found = run_checks(include_deployment_checks=serving)
        return [message for message in found if message.id.startswith("hubadmin.")]

    def assert_says(self, *ids: str, serving: bool = True, **changed: object) -> None:
        found = self.messages(serving=serving, **changed)
        self.assertEqual([message.id for message in found], [*ids])


class ServingTests(CheckTestCase):
    def test_silent_when_all_is_right(self) -> None:
        self.assert_says()

    def test_the_secret_key(self) -> None:
        self.assert_says("hubadmin.E002", SECRET_KEY="")

    def test_the_token(self) -> None:
        self.assert_says("hubadmin.E003", HUBSPOT_ACCESS_TOKEN="")
        for token in ("a b", "a\n", "a\0", "\u00e4", "“abc”", "a\x7f"):
            with self.subTest(token):
                self.assert_says("hubadmin.E004", HUBSPOT_ACCESS_TOKEN=token)
        self.assert_says(HUBSPOT_ACCESS_TOKEN="opaque/+=~.-_")

    def test_no_message_shows_a_secret(self) -> None:
        for message in self.messages(HUBSPOT_ACCESS_TOKEN="hidden one", SECRET_KEY="hidden"):
            self.assertNotIn("hidden", str(message))

    def test_the_hosts(self) -> None:
        self.assert_says("hubadmin.E005", ALLOWED_HOSTS=[])

    def test_the_address_of_hubspot(self) -> None:
        for address in (
            *("", "api.hubapi.com", "http://api.hubapi.com", "ftp://api.hubapi.com", "https://"),
            *("http://localhost.example.com", "http://127.0.0.1.example.com", "https://[::1"),
            "http://localhost@example.com",
        ):
            with self.subTest(address):
                self.assert_says("hubadmin.E006", HUBSPOT_API_BASE_URL=address)

    def test_a_sandbox_on_this_machine_may_do_without_tls(self) -> None:
        for address in ("http://127.0.0.1:8900", "http://localhost:8900", "http://[::1]:8900"):
            with self.subTest(address):
                self.assert_says(HUBSPOT_API_BASE_URL=address)

    def test_the_way_to_hubspot_must_be_there(self) -> None:
        self.assert_says("hubadmin.E007", HUBSPOT_CA_BUNDLE="/nonexistent/ca.pem")
        self.assert_says(HUBSPOT_CA_BUNDLE=__file__)
        for proxy in ("proxy:3128", "socks5://proxy", "http://"):
            self.assert_says("hubadmin.E008", HUBSPOT_PROXY_URL=proxy)
        self.assert_says(HUBSPOT_PROXY_URL="http://user:pass@proxy.example.com:3128")

    def test_how_bulk_runs_are_sent(self) -> None:
        self.assert_says("hubadmin.E013", BULK_WAY="pigeon")
        self.assert_says(BULK_WAY="single")

    def test_numbers_without_which_no_run_could_go_on(self) -> None:
        for name in AT_LEAST_ONE:
            with self.subTest(name):
                self.assert_says("hubadmin.E014", **{name: 0})
                self.assert_says(**{name: 1})

    def test_a_lease_shorter_than_a_call_is_a_warning(self) -> None:
        (message,) = self.messages(BULK_LEASE_SECONDS=33)
        self.assertEqual((type(message), message.id), (Warning, "hubadmin.W001"))
        self.assert_says(BULK_LEASE_SECONDS=34)

    def test_the_share_of_calls_for_the_daily_look(self) -> None:
        for percent in (-0.5, 100.5):
            self.assert_says("hubadmin.E019", SWEEP_QUOTA_PERCENT=percent)
        for percent in (0, 0.5, 100):
            self.assert_says(SWEEP_QUOTA_PERCENT=percent)

    def test_the_limit_of_calls(self) -> None:
        def says(*ids: str, calls: int, people: int) -> None:
            named = {"HUBSPOT_CALLS_PER_10_SECONDS": calls, "HUBSPOT_CALLS_FOR_PEOPLE": people}
            self.assert_says(*ids, **named)

        says("hubadmin.E015", calls=-1, people=20)
        says("hubadmin.E015", calls=190, people=-1)
        says("hubadmin.E016", calls=20, people=20)
        says(calls=20, people=19)
        says(calls=0, people=20)

    def test_the_address_of_redis(self) -> None:
        for address in ("nonsense", "http://redis.example.com", "redis://:hidden@host:port/0"):
            with self.subTest(address):
                (message,) = self.messages(WORKER_BROKER_URL=address)
                self.assertEqual(message.id, "hubadmin.E017")
                self.assertNotIn("hidden", message.msg)
        for address in ("", "redis://host", "rediss://u:p@host:6380/2", "unix:///run/redis.sock"):
            with self.subTest(address):
                self.assert_says(WORKER_BROKER_URL=address)

    def test_some_group_must_let_people_in(self) -> None:
        self.assert_says("hubadmin.E029", SSO_SUPPORT_GROUPS=[], SSO_ADMIN_GROUPS=[])
        self.assert_says(SSO_SUPPORT_GROUPS=[], SSO_ADMIN_GROUPS=["admin"])


class VersionTests(CheckTestCase):
    def test_the_end_of_v4_is_told_as_information(self) -> None:
        for serving in (False, True):
            with self.subTest(serving=serving):
                (message,) = self.messages(serving=serving, HUBSPOT_API_VERSION="v4")
                self.assertEqual((type(message), message.id), (Info, "hubadmin.I001"))
                self.assertIn("30 March 2027", message.msg)

    def test_the_dated_versions_are_silent(self) -> None:
        for version in ("2026-03", "2026-09"):
            with self.subTest(version):
                self.assert_says(HUBSPOT_API_VERSION=version)

    def test_any_other_is_an_error_even_when_not_serving(self) -> None:
        for version in ("v3", "", "V4", "2026-9"):
            with self.subTest(version):
                self.assert_says("hubadmin.E001", serving=False, HUBSPOT_API_VERSION=version)


class CommandTests(CheckTestCase):
    def test_migrations_and_tests_need_no_secrets(self) -> None:
        empty = {"SECRET_KEY": "", "HUBSPOT_ACCESS_TOKEN": "", "ALLOWED_HOSTS": []}
        self.assert_says(serving=False, **empty, SSO_SUPPORT_GROUPS=[])


NOTICES = {
    "SITE_URL": "https://hub.example.com",
    "NOTICE_SIGNING_SECRET": "a-secret-of-some-length",
    "EMAIL_HOST": "mail.example.com",
}


class NoticeTests(CheckTestCase):
    def assert_notices(self, text: str, *ids: str, words: str = "", **changed: object) -> None:
        """What the checks say of these receivers: it names them, and shows no address."""
        changed = NOTICES | {"NOTICE_RECEIVERS": receivers(text)} | changed
        found = self.messages(**changed)
        self.assertEqual([message.id for message in found], [*ids], text)
        self.assertIn(words, " ".join(str(message.msg) for message in found))
        self.assertNotIn("canary", str(found))

    def test_receivers_that_are_right(self) -> None:
        self.assert_notices("")
        self.assert_notices(
            "ops email ops@example.com; chat slack https://a.example/canary run_ended,seal_late"
        )
        self.assert_notices("# those on call\nteam teams https://a.example/canary?x=1;y=2\n\n")
        self.assert_notices("soc json http://127.0.0.1:9/canary", NOTICE_PRIVATE_RECEIVERS=["soc"])

    def test_receivers_that_are_wrong(self) -> None:
        for text, words in (
            ("ops", "ops has no kind that there is; these are email, slack, teams, json."),
            ("ops pager https://canary.example", "ops has no kind"),
            ("https://canary.example/ slack", "a name has a character other than"),
            ("ops email canary.example.com", "the e-mail address of ops is none."),
            ("ops email a@b.example,canary@b.example", "the e-mail address of ops is none."),
            ("ops slack http://hooks.example/canary", "the address of ops is no https address."),
            ("ops slack https://[canary", "the address of ops is no https address."),
            ("ops slack", "the address of ops is no https address."),
            ("ops slack https://a.example run_end", "an event 'run_end'; there are: run_ended, r"),
            ("ops slack https://a.example https://canary", "an event that there is not; there"),
            ("ops slack https://a.example test", "ops wants an event 'test'"),
            ("ops slack https://a.example run_ended run_paused", "ops has more than a name"),
            ("ops slack https://a.example; ops email a@b.example", "two receivers are called ops."),
        ):
            with self.subTest(text):
                self.assert_notices(text, "hubadmin.E050", words=words)

    def test_what_they_need(self) -> None:
        mail, signed = "ops email ops@example.com", "soc json https://a.example"
        for address in ("", "http://hub.example.com", "hub.example.com"):
            self.assert_notices(mail, "hubadmin.E051", SITE_URL=address)
        for secret in ("", "canary"):
            self.assert_notices(signed, "hubadmin.E052", NOTICE_SIGNING_SECRET=secret)
        self.assert_notices(mail, "hubadmin.E053", EMAIL_HOST="")
        self.assert_notices(
            signed, "hubadmin.E050", words="'sco'", NOTICE_PRIVATE_RECEIVERS=["sco"]
        )
        self.assert_notices("", SITE_URL="", NOTICE_SIGNING_SECRET="", EMAIL_HOST="")

    def test_no_password_goes_in_the_clear(self) -> None:
        mail, password = "ops email ops@example.com", {"EMAIL_HOST_PASSWORD": "canary"}
        self.assert_notices(mail, "hubadmin.E054", **password)
        self.assert_notices(mail, **password, EMAIL_USE_TLS=True)
        self.assert_notices(mail, **password, EMAIL_USE_SSL=True)
        self.assert_notices(mail, **password, EMAIL_HOST="127.0.0.1")
