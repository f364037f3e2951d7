"""`manage.py doctor`: what it finds, in words, whatever is broken; and nothing secret in it."""

import http.client
import json
import tempfile
import threading
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from pathlib import Path
from unittest import mock

from django.db import OperationalError
from django.test import SimpleTestCase, override_settings

from hubadmin import doctor
from hubadmin.demo.sandbox import SANDBOX_TOKEN
from hubadmin.web import doctor as words
from hubadmin.web.doctor import Finding, Level, ask, clock, why
from tests.associations.audit.integrity.processes import database_url, manage
from tests.hubadmin.broken_servers import (
    PAGE,
    Babbling,
    Closing,
    Silent,
    answering,
    listening,
    own_authority,
    refused,
)
from tests.identity.hostile import HostileProvider
from tests.support import LogTransactionTestCase, SandboxMixin

HERE = "tests.hubadmin.test_doctor"
ANY = "/etc/ssl/certs"


def well() -> Iterator[Finding]:
    yield Finding(Level.OK, "All is well.")


def hangs() -> Iterator[Finding]:
    yield Finding(Level.OK, "It began.")
    threading.Event().wait(20)


def breaks() -> Iterator[Finding]:
    yield Finding(Level.OK, "It began.")
    raise RuntimeError("canary-client-secret at https://u:p%40ss@example.com")


def has_no_database() -> Iterator[Finding]:
    yield from ()
    raise OperationalError("gone")


class WhyTests(SimpleTestCase):
    """Each failure has a name, by whichever library it comes."""

    def told(self, address: str, authorities: str = ANY) -> str:
        try:
            ask(address, authorities=authorities)
        except (OSError, http.client.HTTPException, ValueError) as error:
            return why(error)
        return ""

    def test_whatever_a_server_does(self) -> None:
        self.assertIn("connection refused", self.told(refused()))
        self.assertIn("(DNS)", self.told("http://nowhere.invalid/"))
        with mock.patch.object(words, "SECONDS", 0.3), listening(Silent) as address:
            self.assertEqual(self.told(address), "it does not answer in time")
        with listening(Closing) as address:
            self.assertIn("closes the connection", self.told(address))
        with listening(Babbling) as address:
            self.assertIn("does not speak HTTP", self.told(address))
            self.assertIn("does not speak TLS", self.told(address.replace("http", "https")))

    def test_an_authority_that_is_not_known_and_one_that_is(self) -> None:
        with own_authority() as (context, file), listening(answering(), context) as address:
            self.assertIn("its TLS certificate is not trusted here", self.told(address))
            self.assertEqual(self.told(address, str(file)), "")
            elsewhere = address.replace("127.0.0.1", "localhost")
            self.assertIn(
                "certificate is not valid for 'localhost'", self.told(elsewhere, str(file))
            )

    def test_a_way_through_a_proxy_that_refuses(self) -> None:
        with listening(answering(407)) as proxy:
            with self.assertRaises(OSError) as told:
                ask("https://hub.example.com/", authorities=ANY, proxy=proxy)
            self.assertTrue(why(told.exception))

    def test_an_error_of_an_unknown_kind_says_its_words(self) -> None:
        self.assertEqual(why(ValueError("odd\n thing")), "odd thing")
        self.assertEqual(why(ValueError()), "ValueError")


class ClockTests(SimpleTestCase):
    def test_by_how_much_it_differs(self) -> None:
        now = datetime.now(UTC)
        for seconds, level in ((0, "ok"), (29, "ok"), (31, "warning"), (299, "warning")):
            for each in (seconds, -seconds):
                told = format_datetime(now + timedelta(seconds=each), usegmt=True)
                self.assertEqual(clock("HubSpot", told, now).level, level)
        told = clock("HubSpot", format_datetime(now - timedelta(hours=3), usegmt=True), now)
        self.assertEqual(told.level, Level.FAILED)
        self.assertIn("seconds ahead of HubSpot's", told.text)
        for odd in (None, "", "yesterday", "\0"):
            self.assertIsNone(clock("HubSpot", odd, now))


class ExamineTests(SimpleTestCase):
    def examine(self, *names: str, seconds: float = 5.0) -> list[list[Finding]]:
        looks = [(name, f"{HERE}.{name}") for name in names]
        with (
            override_settings(DOCTOR=looks),
            mock.patch.object(doctor, "_bound_waits_for_the_database"),
            mock.patch("django.db.connections.close_all"),
        ):
            return [each.findings for each in doctor.examine(seconds)]

    def test_side_by_side_and_one_that_hangs_holds_nobody_up(self) -> None:
        begun = time.monotonic()
        hung, fine = self.examine("hangs", "well", seconds=0.5)
        self.assertLess(time.monotonic() - begun, 3)
        self.assertEqual([each.level for each in hung], ["ok", "failed"])
        self.assertIn("did not end within", hung[1].text)
        self.assertEqual([each.level for each in fine], ["ok"])

    def test_a_busy_machine_is_named_before_a_firewall(self) -> None:
        took: list[float] = []
        for load, said in ((1.9, "Something on the way"), (40.2, "a load of 40 on 2 cores")):
            quiet = mock.patch.multiple(
                doctor.os, getloadavg=lambda load=load: (load, 0.0, 0.0), cpu_count=lambda: 2
            )
            with quiet:
                begun = time.monotonic()
                ((*_, hung),) = self.examine("hangs", seconds=0.2)
                took.append(time.monotonic() - begun)
            self.assertEqual(hung.level, Level.FAILED)
            self.assertIn(said, hung.advice)
        self.assertGreaterEqual(took[1], 0.6)  # and is waited for three times as long

    @override_settings(SSO_CLIENT_SECRET="canary-client-secret")
    def test_what_breaks_is_a_finding_without_secrets_and_without_a_traceback(self) -> None:
        broken, fine = self.examine("breaks", "well")
        self.assertEqual([each.level for each in broken], ["ok", "failed"])
        self.assertNotIn("canary", broken[1].text)
        self.assertNotIn("Traceback", broken[1].text)
        self.assertEqual(len(fine), 1)

    def test_without_the_database_the_rest_is_not_known(self) -> None:
        ((told,),) = self.examine("has_no_database")
        self.assertEqual(told.level, Level.WARNING)

    @override_settings(WORKER_BROKER_URL="redis://:r%40dis-canary@127.0.0.1:1/0")
    def test_the_passwords_within_addresses_are_secret_too(self) -> None:
        for secret in ("r@dis-canary", "redis://:r%40dis-canary@127.0.0.1:1/0"):
            ((shown),) = doctor._shown([Finding(Level.OK, f"a {secret} b", secret)])
            self.assertNotIn("canary", shown.text + shown.advice)


class FilesTests(SimpleTestCase):
    def test_little_room_and_none(self) -> None:
        for free, level in ((10 * 2**30, "ok"), (500 * 2**20, "warning"), (2**20, "failed")):
            with mock.patch("shutil.disk_usage", return_value=mock.Mock(free=free)):
                room = doctor._room("x", Path(tempfile.gettempdir()), doctor.LITTLE)
            self.assertEqual(room.level, level)
        nowhere = doctor._room("x", Path("/nowhere"), 1)
        self.assertEqual(nowhere.level, Level.FAILED)
        self.assertIn("No such file", nowhere.text)

    def test_where_processes_count(self) -> None:
        with tempfile.TemporaryDirectory() as folder:
            counting = override_settings(METRICS_TOKEN="x" * 20, METRICS_DIR=f"{folder}/a")
            with counting:
                self.assertIn("METRICS_DIR can be used.", [e.text for e in doctor.in_files()])
            self.assertEqual([*Path(folder).iterdir()], [])
            Path(folder, "a").touch()
            with counting:
                self.assertEqual([*doctor.in_files()][-1].level, Level.FAILED)

    @override_settings(BASE_DIR="/nowhere")
    def test_static_files(self) -> None:
        self.assertEqual({each.level for each in doctor.in_files()} - {"warning"}, {"ok"})
        with mock.patch("django.contrib.staticfiles.finders.find", return_value=None):
            doctor.names.hashed_files.clear()
            first = next(doctor.in_files())
        doctor.names.hashed_files.clear()
        self.assertEqual(first.level, Level.FAILED)


class CommandTests(SandboxMixin, LogTransactionTestCase):
    """The command itself, as a process, against real servers."""

    def setUp(self) -> None:
        super().setUp()
        self.provider = self.enterContext(HostileProvider())
        self.variables = {
            "DATABASE_URL": database_url(),
            "SECRET_KEY": "q7fX-long-and-random-enough-for-djangos-own-check-0192837465",
            "ALLOWED_HOSTS": "hubadmin.example.com",
            "HUBSPOT_API_BASE_URL": self.sandbox.url,
            "HUBSPOT_ACCESS_TOKEN": SANDBOX_TOKEN,
            "HUBSPOT_API_VERSION": "2026-09",
            "HUBSPOT_PORTAL_ID": "4242",
            "SSO_MODE": "oidc",
            "SSO_ISSUER": self.provider.issuer,
            "SSO_CLIENT_ID": "hubadmin",
            "SSO_CLIENT_SECRET": "canary-client-secret",
            "SSO_SUPPORT_GROUPS": "support",
        }

    def doctor(self, *options: str, **changes: str) -> tuple[int, str]:
        begun = time.monotonic()
        done = manage("doctor", *options, **self.variables | changes)
        self.assertLess(time.monotonic() - begun, 60)  # and what starting Python takes
        self.assertNotIn("Traceback", done.stdout + done.stderr)
        self.assertNotIn("canary", done.stdout + done.stderr)
        return done.returncode, done.stdout

    def findings(self, written: str, level: str) -> list[str]:
        return [
            f"{section['name']}: {each['text']}"
            for section in json.loads(written)["sections"]
            for each in section["findings"]
            if each["level"] == level
        ]

    def test_all_is_well(self) -> None:
        code, written = self.doctor("--json")
        facts = json.loads(written)
        self.assertEqual(self.findings(written, "failed"), [])
        # PostgreSQL's tests run as a superuser.
        warnings = [each for each in self.findings(written, "warning") if "superuser" not in each]
        self.assertEqual(warnings, [])
        self.assertEqual((facts["exit_code"], facts["status"] in ("ok", "warning")), (code, True))
        well = " ".join(self.findings(written, "ok"))
        for said in (
            "every migration",
            "It can be written",
            "HubSpot accepts this site's access token",
            "clock agrees with HubSpot's",
            "clock agrees with the identity provider's",
            "2 keys that can be used",
            "The database keeps the log as it was written",
            "No worker is running",
            "static files are there",
        ):
            self.assertIn(said, well)

    def test_everything_at_once_is_broken(self) -> None:
        self.provider.dead = {"/.well-known/openid-configuration"}
        with tempfile.TemporaryDirectory() as folder:
            code, written = self.doctor(
                DATABASE_URL=f"sqlite:///{folder}/none.sqlite3",
                HUBSPOT_API_BASE_URL=refused(),
                WORKER_BROKER_URL=f"redis://:canary@{refused()[7:]}/0",
                ALLOWED_HOSTS="",
                TMPDIR=folder,
            )
            self.assertEqual([each.name for each in Path(folder).iterdir()], [])
        self.assertEqual((code, written.split()[-1]), (2, "FAILED"))
        for said in (
            "Settings: ALLOWED_HOSTS is not set",
            "Database: There is no database yet",
            "HubSpot: HubSpot cannot be reached",
            "nobody listens there (connection refused)",
            "Redis: Redis (WORKER_BROKER_URL) cannot be asked",
            "Sign-in: The provider's discovery document cannot be had",
            "it closes the connection without an answer",
            "Audit log: The rest of this cannot be looked at",
            "→ ",
        ):
            self.assertIn(said, written)

    def test_a_server_that_swallows_everything_and_a_page_in_the_place_of_hubspot(self) -> None:
        with listening(Silent) as silent, listening(PAGE) as page:
            code, written = self.doctor(
                HUBSPOT_API_BASE_URL=page,
                SSO_DISCOVERY_URL=f"{silent}/x",
                DATABASE_URL=f"postgres://u:canary@{silent[7:]}/x",
            )
        self.assertEqual(code, 2)
        self.assertIn("answers with a web page instead of JSON", written)
        self.assertIn("it does not answer in time", written)
        self.assertIn("Database: The database cannot be asked", written)

    def test_hubspot_is_asked_though_the_database_swallows_everything(self) -> None:
        with listening(Silent) as silent:
            code, written = self.doctor(DATABASE_URL=f"postgres://u:canary@{silent[7:]}/x")
        self.assertEqual(code, 2)
        self.assertIn("HubSpot accepts this site's access token", written)
        self.assertNotIn("did not end within", written)

    def test_a_provider_with_an_authority_of_its_own(self) -> None:
        with own_authority() as (context, file), listening(answering(404), context) as address:
            where = {"SSO_DISCOVERY_URL": f"{address}/x", "HUBSPOT_API_BASE_URL": address}
            _, written = self.doctor(**where)
            self.assertEqual(written.count("its TLS certificate is not trusted here"), 2)
            self.assertIn("name a file with it: CA_BUNDLE.", written)
            _, written = self.doctor(**where, CA_BUNDLE=str(file))
            self.assertIn("it answers with HTTP 404, not found", written)
            self.assertNotIn("not trusted", written)

    def test_a_clock_that_is_off(self) -> None:
        with listening(answering(ago=3 * 60 * 60)) as address:
            code, written = self.doctor(HUBSPOT_API_BASE_URL=address)
        self.assertEqual(code, 2)
        self.assertIn("seconds ahead of HubSpot's", written)

    def test_notices_metrics_and_times_in_the_words_of_nobody_secret(self) -> None:
        hook = f"{refused().replace('127.0.0.1', 'localhost')}/canary-path"
        with tempfile.TemporaryDirectory() as folder:
            code, written = self.doctor(
                SITE_URL="https://hubadmin.example.com",
                NOTICE_RECEIVERS=f"chat slack {hook}; ops email canary@example.com",
                NOTICE_PRIVATE_RECEIVERS="chat",
                EMAIL_URL=f"smtp://canary-user:canary-pw@{refused()[7:]}",
                METRICS_TOKEN="canary-token-of-metrics",
                METRICS_DIR=folder,
                AUDIT_TSA_URL=refused(),
                AUDIT_TSA_CA="/nowhere.pem",
            )
        self.assertEqual(code, 2)
        for told in (
            "The receiver chat cannot be used: nobody listens there",
            "The mail server, for notices to ops, cannot be used: nobody listens there",
            "The timestamp authority (AUDIT_TSA_URL) cannot be reached: nobody listens there",
            "AUDIT_TSA_CA cannot be read",
            "METRICS_DIR can be used.",
            "Nobody is alive who sends notices",
        ):
            self.assertIn(told, written)

    def test_a_token_that_hubspot_refuses(self) -> None:
        code, written = self.doctor(HUBSPOT_ACCESS_TOKEN="pat-canary")
        self.assertEqual(code, 2)
        self.assertIn("HubSpot does not accept this site's access token. HTTP 401", written)
