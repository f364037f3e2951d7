"""The security events: their page, copies of them, their lines, and how many one may cause."""

import csv
import io
import json
import re
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from unittest import mock

from django.db import connection, transaction
from django.test import override_settings
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from associations.audit import security_events
from associations.audit.pagination import PAGE_SIZE
from associations.audit.recorder import FACT_LENGTH, RequestMeta, record_event
from associations.audit.security_events import A_MINUTE
from associations.models import BulkRun, SecurityEvent
from hubadmin.models import User
from tests.associations.audit.test_events import EventTestCase
from tests.associations.linking.base import PageTestCase, entry_of, run_of
from tests.hubadmin.sso.test_proxy_headers import ADA, SECRET
from tests.support import SignedInClient, know_of_no_changes, person

META = RequestMeta("192.0.2.7", "Firefox", "r-1", "trace-1")
HEADER_MODE = override_settings(SSO_MODE="header", SSO_ISSUER="proxy", SSO_HEADER_SECRET=SECRET)


@contextmanager
def clock_at(moment: datetime) -> Iterator[None]:
    clock = SimpleNamespace(now=lambda: moment)
    with (
        mock.patch("associations.audit.recorder.acts.timezone", clock),
        mock.patch("associations.audit.security_events.timezone", clock),
    ):
        yield


class EventPageTestCase(PageTestCase):
    def listed(self, query: str = "") -> list[str]:
        """What happened, as the page's rows tell it: who, then what."""
        page = self.as_admin.get(f"/audit/events/{query}")
        self.assertEqual(page.status_code, 200)
        rows = re.findall(r"<tr>(.*?)</tr>", page.content.decode(), re.S)[1:]
        cells = [re.findall(r"<td[^>]*>(.*?)</td>", row, re.S)[1:3] for row in rows]
        return [" ".join(re.sub(r"<[^>]*>", " ", " ".join(each)).split()) for each in cells]


class PageTests(EventPageTestCase):
    def test_nothing_yet(self) -> None:
        self.assertContains(self.as_admin.get("/audit/events/"), "Nothing of that has happened yet")

    def test_the_tabs_lead_there(self) -> None:
        self.assertContains(self.as_admin.get("/audit/"), 'href="/audit/events/"')

    def test_newest_first_in_words(self) -> None:
        run, entry = run_of(self.user), entry_of(self.user)
        record_event("signed_in", user=self.user)
        record_event("refused", why="the proxy's shared secret is missing or wrong")
        record_event("role_changed", user=self.admin, **{"from": "support"})
        record_event("deactivated", user=self.user, by="root")
        record_event("run_started", user=self.user, run=run)
        record_event("run_ended", run=run)
        record_event("downloaded", user=self.admin, file="results.csv", run=run)
        record_event("downloaded", user=self.admin, file="support-bundle.txt", entry=entry.pk)
        found = {"types": ["contacts", "2-4001"], "how": "name", "hits": 1}
        record_event("records_searched", user=self.user, **found)
        record_event("records_searched", user=self.user, how="smell", hits="many", types=5)
        self.assertEqual(
            self.listed()[::-1],
            [
                "Support signed in support",
                "not known not let in the proxy&#x27;s shared secret is missing or wrong",
                "Admin role changed support → admin",
                "Support deactivated by root, on the server",
                f"Support started run {run.pk}",
                f"the run itself ended run {run.pk}",
                f"Admin downloaded run {run.pk} results.csv",
                f"Admin downloaded entry {entry.pk} support-bundle.txt",
                "Support searched HubSpot Contact, Car by name 1 record found",
                "Support searched HubSpot 5 smell",
            ],
        )
        page = self.as_admin.get("/audit/events/")
        for address in (run.get_absolute_url(), entry.get_absolute_url()):
            self.assertContains(page, f'href="{address}"')

    def test_from_where(self) -> None:
        record_event("signed_in", user=self.user, meta=META)
        page = self.as_admin.get("/audit/events/")
        for text in ("<summary>192.0.2.7", "Firefox", "<code>r-1", "<code><bdi>trace-1"):
            self.assertContains(page, text)

    def test_no_link_to_a_run_that_is_gone(self) -> None:
        run = run_of(self.user)
        record_event("run_discarded", user=self.user, run=run, name="a.csv")
        number = run.pk
        BulkRun.objects.all().delete()
        self.assertEqual(self.listed(), [f"Support discarded run {number} a.csv"])
        self.assertNotContains(self.as_admin.get("/audit/events/"), f"/bulk/{number}/")

    def test_foreign_text_is_foreign(self) -> None:
        record_event("refused", why="<script>\u202egpj.exe\0\ud800" + "x" * 999)
        event = SecurityEvent.objects.get()
        self.assertEqual(len(event.facts["why"]), FACT_LENGTH)
        self.assertTrue(event.facts["why"].isprintable())
        self.assertContains(self.as_admin.get("/audit/events/"), "&lt;script&gt;⟨U+202E⟩gpj.exe")

    def test_facts_of_another_shape_than_ours(self) -> None:
        """Whoever may write to the database can leave any."""
        for why in (5, 1.5, True, ["x"], {"a": "\u202e"}):
            with self.subTest(why):
                SecurityEvent.objects.create(at=timezone.now(), what="refused", facts={"why": why})
                self.assertEqual(len(self.listed()), SecurityEvent.objects.count())
        self.assertIn("not known not let in 5", self.listed())

    def test_by_person_kind_and_day(self) -> None:
        for day in (23, 24, 25):
            with clock_at(datetime(2026, 11, day, 23, 30, tzinfo=UTC)):
                record_event("signed_in", user=self.user)
                record_event("signed_out", user=self.admin)
        for query, count in (
            (f"?who={self.user.pk}", 3),
            ("?what=signed_out", 3),
            ("?day=2026-11-24&tz=UTC", 2),
            ("?day=2026-11-25&tz=Asia/Tokyo", 2),
            (f"?who={self.user.pk}&what=signed_in&day=2026-11-24&tz=UTC", 1),
            ("?who=&what=&day=", 6),
        ):
            with self.subTest(query):
                self.assertEqual(len(self.listed(query)), count)
        page = self.as_admin.get(f"/audit/events/?who={self.user.pk}&what=run_ended")
        self.assertContains(page, "No event matches this filter")

    def test_what_cannot_be_understood(self) -> None:
        for query in ("who=999999", "who=x", "what=odd", "day=24.11.", "day=9999-12-31", "tz=Mars"):
            page = self.as_admin.get(f"/audit/events/?{query}")
            self.assertContains(page, 'role="alert"', status_code=422)

    def test_a_page_at_a_time(self) -> None:
        for _ in range(PAGE_SIZE + 2):
            record_event("signed_in", user=self.user)
        record_event("signed_out", user=self.user)
        query = f"?who={self.user.pk}&what=signed_in"
        self.assertEqual(len(self.listed(query)), PAGE_SIZE)
        page = self.as_admin.get(f"/audit/events/{query}").content.decode()
        (older,) = re.findall(r'href="(\?[^"]+before=\d+)"', page)
        self.assertEqual(len(self.listed(older.replace("&amp;", "&"))), 2)
        for odd in ("x", "9" * 30, "-1", "\u0661"):
            self.assertEqual(len(self.listed(f"{query}&before={odd}")), PAGE_SIZE)
        self.assertEqual(self.listed(f"{query}&before=1"), [])

    def test_so_many_queries_however_many_events(self) -> None:
        know_of_no_changes()
        record_event("run_started", user=self.user, run=run_of(self.user))
        with CaptureQueriesContext(connection) as queries:
            self.as_admin.get("/audit/events/")
        for _ in range(20):
            record_event("run_started", user=self.user, run=run_of(self.user))
        with self.assertNumQueries(len(queries)):
            self.as_admin.get("/audit/events/")


class FileTests(EventPageTestCase):
    def setUp(self) -> None:
        super().setUp()
        self.event = record_event("downloaded", user=self.user, meta=META, file="a.csv")
        record_event("refused", why="=1+1")

    def csv(self, query: str = "") -> list[dict[str, str]]:
        text = self.as_admin.get(f"/audit/events.csv{query}").getvalue().decode("utf-8-sig")
        return list(csv.DictReader(io.StringIO(text, newline=""), strict=True))

    def test_csv(self) -> None:
        own, refused, first = self.csv()
        moment = f"{self.event.at.astimezone(UTC):%Y-%m-%d %H:%M:%S.%f}"
        self.assertEqual(
            first,
            {
                "id": str(self.event.pk),
                "at": moment,
                "what": "downloaded",
                "user_id": str(self.user.pk),
                "user_name": "Support",
                "user_email": "support@example.com",
                "role": "support",
                "run_id": "",
                "facts": '{"file": "a.csv"}',
                "client_ip": "192.0.2.7",
                "user_agent": "Firefox",
                "request_id": "r-1",
                "client_request_id": "trace-1",
            },
        )
        self.assertEqual(refused["what"], "refused")
        self.assertEqual((own["what"], own["user_name"]), ("downloaded", "Admin"))

    def test_what_a_spreadsheet_would_compute(self) -> None:
        for text in ("=1+1", "@SUM(A1)", "-1", "+1", "\uff1d1"):
            meta = RequestMeta(user_agent=text)
            record_event("signed_in", user=person(text, "support"), meta=meta)
            (row,) = self.csv(f"?who={User.objects.latest('pk').pk}")
            for name in ("user_name", "user_agent", "user_email"):
                self.assertEqual(row[name][0], "'", name)

    def test_json_lines_are_what_is_sealed_and_end(self) -> None:
        query = f"what=downloaded&who={self.user.pk}"
        lines = self.as_admin.get(f"/audit/events.jsonl?{query}").getvalue().splitlines()
        event, end = map(json.loads, lines)
        self.assertEqual((event["kind"], event["id"]), ("event", self.event.pk))
        self.assertEqual((end["kind"], end["complete"], end["lines"]), ("end", True, 1))
        self.assertEqual(end["query"], f"who={self.user.pk}&what=downloaded")

    def test_that_it_was_taken_is_an_event_before_the_first_byte(self) -> None:
        for number, file_format in enumerate(("csv", "jsonl"), 1):
            answer = self.as_admin.get(f"/audit/events.{file_format}?what=refused")
            event = SecurityEvent.objects.latest("pk")
            self.assertEqual((event.what, event.user), ("downloaded", self.admin))
            facts = {"file": f"events.{file_format}", "query": "what=refused"}
            self.assertEqual((event.facts, event.request_id), (facts, answer["X-Request-ID"]))
            answer.getvalue()
            self.assertEqual(SecurityEvent.objects.count(), 2 + number)

    def test_none_for_head_for_http_1_0_nor_for_a_filter_that_says_nothing(self) -> None:
        for address in ("/audit/events.csv", "/audit/events.jsonl"):
            self.assertEqual(self.as_admin.head(address).getvalue(), b"")
            old = self.as_admin.get(address, SERVER_PROTOCOL="HTTP/1.0")
            self.assertEqual(old.status_code, 505)
            self.assertEqual(self.as_admin.get(f"{address}?what=odd").status_code, 422)
            self.assertEqual(self.client.get(address).status_code, 403)
        self.assertEqual(SecurityEvent.objects.count(), 2)

    def test_stretch_by_stretch(self) -> None:
        with mock.patch("associations.audit.event_exports.ROWS_AT_ONCE", 2):
            for _ in range(5):
                record_event("signed_in", user=self.user)
            ids = [int(row["id"]) for row in self.csv()]
            self.assertEqual(ids, [*SecurityEvent.objects.values_list("pk", flat=True)][::-1])
            answer = self.as_admin.get("/audit/events.jsonl")
            self.assertEqual(len(answer.getvalue().splitlines()), len(ids) + 2)


class FloodTests(PageTestCase):
    """Whoever can repeat something at will fills no table with it."""

    def setUp(self) -> None:
        super().setUp()
        security_events._left_out.clear()
        self.now = timezone.now()

    def events(self, what: str) -> list[SecurityEvent]:
        return [*SecurityEvent.objects.filter(what=what)]

    @HEADER_MODE
    def test_of_refusals_so_many_a_minute_and_the_rest_is_counted(self) -> None:
        with clock_at(self.now):
            for _ in range(A_MINUTE + 30):
                guess = SignedInClient().get("/", headers=ADA | {"X-SSO-Secret": "guess"})
                self.assertEqual(guess.status_code, 403)
        self.assertEqual(len(self.events("refused")), A_MINUTE)
        for minutes in (2, 4):
            with clock_at(self.now + timedelta(minutes=minutes)):
                SignedInClient().get("/", headers=ADA | {"X-SSO-Secret": "guess"})
        newest = [event.facts.get("left_out") for event in self.events("refused")[-2:]]
        self.assertEqual(newest, [30, None])

    @HEADER_MODE
    def test_a_flood_of_strangers_hides_nobody_who_is_known(self) -> None:
        with clock_at(self.now):
            for _ in range(A_MINUTE + 5):
                SignedInClient().get("/", headers=ADA | {"X-SSO-Secret": "guess"})
            ada = person("ada")
            User.objects.filter(pk=ada.pk).update(issuer="proxy", subject="u1", is_active=False)
            SignedInClient().get("/", headers=ADA)
        self.assertEqual(self.events("refused")[-1].user_id, ada.pk)

    @HEADER_MODE
    def test_who_sends_no_cookies_behind_a_proxy_signs_in_again_and_again(self) -> None:
        with clock_at(self.now):
            for _ in range(A_MINUTE + 7):
                self.assertEqual(SignedInClient().get("/", headers=ADA).status_code, 200)
            SignedInClient().get("/", headers=ADA | {"X-SSO-Subject": "u2"})
        self.assertEqual(len(self.events("signed_in")), A_MINUTE + 1)

    def test_what_is_not_repeated_at_will_is_never_left_out(self) -> None:
        run = run_of(self.user, state="running")
        with clock_at(self.now):
            for _ in range(A_MINUTE):
                self.client.post(f"/bulk/{run.pk}/pause/")
                self.client.post(f"/bulk/{run.pk}/go-on/")
                self.as_admin.get("/audit/integrity/seals.jsonl").getvalue()
            self.client.post(f"/bulk/{run.pk}/pause/")
        self.assertEqual(len(self.events("run_paused")), A_MINUTE + 1)
        self.assertEqual(len(self.events("downloaded")), A_MINUTE)

    @HEADER_MODE
    def test_a_clock_that_was_ahead_silences_nobody(self) -> None:
        with clock_at(self.now + timedelta(hours=1)):
            for _ in range(A_MINUTE):
                SignedInClient().get("/", headers=ADA | {"X-SSO-Secret": "guess"})
        with clock_at(self.now):
            SignedInClient().get("/", headers=ADA | {"X-SSO-Secret": "guess"})
        self.assertEqual(len(self.events("refused")), A_MINUTE + 1)


class LineTests(EventTestCase):
    KEYS = {
        *("time", "level", "logger", "event", "schema", "security_event", "at", "what"),
        *("user_id", "user_name", "user_email", "role", "facts"),
        *("client_ip", "user_agent", "client_request_id"),
    }

    def told(self) -> list[dict[str, object]]:
        return [json.loads(line) for line in self.lines()]

    def test_one_for_each(self) -> None:
        event = record_event("downloaded", user=self.user, meta=META, file="a.csv")
        (line,) = self.told()
        self.assertEqual(line.keys(), self.KEYS)
        self.assertEqual((line["event"], line["logger"]), ("security event", "hubadmin.audit"))
        self.assertEqual((line["security_event"], line["what"]), (event.pk, "downloaded"))
        self.assertEqual((line["user_id"], line["role"]), (self.user.pk, "support"))
        self.assertEqual((line["facts"], line["client_ip"]), ({"file": "a.csv"}, "192.0.2.7"))

    def test_that_of_a_run_names_it(self) -> None:
        run = run_of(self.user)
        record_event("run_ended", run=run, state="done")
        (line,) = self.told()
        self.assertEqual(line.keys(), self.KEYS | {"run"})
        self.assertEqual((line["run"], line["user_id"]), (run.pk, None))

    def test_the_id_of_its_request(self) -> None:
        client = SignedInClient(self.user)
        answer = client.post("/sign-out")
        (line,) = self.told()
        self.assertEqual((line["what"], line["request_id"]), ("signed_out", answer["X-Request-ID"]))

    def test_only_after_the_commit(self) -> None:
        with transaction.atomic():
            record_event("signed_in", user=self.user)
            self.assertEqual(self.told(), [])
        with self.assertRaises(ZeroDivisionError), transaction.atomic():
            record_event("signed_out", user=self.user)
            raise ZeroDivisionError
        self.assertEqual([line["what"] for line in self.told()], ["signed_in"])
