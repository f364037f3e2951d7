"""The page that says how things stand: each part in order, in need of attention, or not known."""

import re
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from html import unescape
from unittest import mock

from django.db import connection
from django.http import HttpResponse
from django.test import override_settings
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from associations.audit.recorder import record_event, record_finding
from associations.models import (
    AssociationAttempt,
    AssociationRequest,
    EventKind,
    Finding,
    Worker,
)
from hubadmin.demo.sandbox import SANDBOX_TOKEN
from hubadmin.demo.sandbox.portal import GRANTED, NO_READ_TOKEN, NO_SCOPES_TOKEN
from tests.associations.audit.integrity.base import as_owner, seal, settle, sql
from tests.associations.linking.base import PageTestCase, entry_of
from tests.support import LINK, know_of_no_changes, missing_table

STATUS, TIMES = "/status/", "/status/times/"
WELL = "Nothing here needs your attention"
USAGE, DETAILS, TOKEN = "daily/private-apps", "account-info/v3/details", "access-token-info"
SLOW = 30.0  # seconds, of HubSpot; the page waits for a part of that
LONG_AGO = timedelta(hours=1)


class StatusTestCase(PageTestCase):
    def page(self, address: str = STATUS, **headers: str) -> HttpResponse:
        return self.as_admin.get(address, headers=headers)

    def fault(self, path: str, **fields: object) -> None:
        method = "POST" if path == TOKEN else "GET"
        self.sandbox.fault(method=method, path=path, **fields)

    def attempt(self, entry: AssociationRequest | None = None, **fields: object) -> None:
        entry = entry or entry_of(self.user)
        values = {"number": 1, "started_at": timezone.now(), "duration_ms": 340, "http_status": 200}
        entry.attempts.create(**values | fields)

    def assert_says(self, page: HttpResponse, *sentences: str) -> None:
        """Whether the page has them, as people read it."""
        markup = page.content.decode().replace("</dt>", " ")
        text = " ".join(unescape(re.sub("<[^>]*>", "", markup)).split())
        for sentence in sentences:
            self.assertIn(sentence, text)

    def worrying(self, page: HttpResponse) -> list[str]:
        return [part.name for part in page.context["worrying"]]

    def levels(self, page: HttpResponse, name: str) -> list[str]:
        (part,) = [part for part in page.context["parts"] if part.name == name]
        return [str(line.level) for line in part.lines]


@contextmanager
def endless_attempts() -> Iterator[None]:
    """A database that never comes to the end of the attempts."""
    table = AssociationAttempt._meta.db_table
    rows = "WITH RECURSIVE n(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM n) SELECT x FROM n"
    columns = "x AS id, 1 AS duration_ms, 200 AS http_status, '' AS failure, CURRENT_TIMESTAMP"
    with missing_table(AssociationAttempt):
        sql(f"CREATE VIEW {table} AS SELECT {columns} AS started_at FROM ({rows}) a")
        try:
            yield
        finally:
            sql(f"DROP VIEW {table}")


class WholeTests(StatusTestCase):
    def test_all_is_well(self) -> None:
        entry_of(self.user)
        seal()
        Worker.objects.create(name="this machine 1", seen_at=timezone.now())
        page = self.page()
        self.assertContains(page, WELL)
        self.assertNotContains(page, "This needs your attention")
        self.assert_says(page, "accepts this site's access token. It is for portal 4242.")
        self.assert_says(page, "The token has every scope that this site uses")
        self.assert_says(page, "of 625,000 calls are left")
        self.assert_says(page, "No entry is open")
        for part in page.context["parts"]:
            self.assertEqual({*self.levels(page, part.name)}, {"well"}, part.name)

    def test_with_no_entry_at_all_nothing_is_wrong_either(self) -> None:
        page = self.page()
        self.assertContains(page, WELL)
        self.assert_says(page, "Nothing has been sealed yet")
        self.assertContains(self.page(TIMES), "No request was made by itself today")

    def test_only_admins_see_it(self) -> None:
        for address in (STATUS, TIMES):
            self.assertEqual(self.client.get(address).status_code, 403)
            self.assertEqual(self.as_admin.post(address).status_code, 405)
        self.assertNotContains(self.client.get("/"), STATUS)
        self.assertContains(self.as_admin.get("/"), f'href="{STATUS}"')

    def test_the_number_of_queries_does_not_grow_with_the_log(self) -> None:
        counts = []
        for entries in (1, 30):
            for _ in range(entries):
                self.attempt()
                entry_of(self.user, outcome="sending", cause="", finished_at=None)
            counts.append([self.queries(STATUS), self.queries(TIMES)])
        self.assertEqual(counts[0], counts[1])

    def queries(self, address: str) -> int:
        know_of_no_changes()
        with CaptureQueriesContext(connection) as found:
            self.assertEqual(self.page(address).status_code, 200)
        return len(found)

    def test_what_needs_attention_is_named_at_the_top(self) -> None:
        with self.settings(HUBSPOT_PORTAL_ID="1"):
            page = self.page()
        self.assertNotContains(page, WELL)
        self.assertContains(page, '<a href="#hubspot">HubSpot</a>')
        self.assertEqual(self.worrying(page), ["hubspot"])

    def test_in_another_language_and_time_zone(self) -> None:
        self.as_admin.cookies["timezone"] = "Asia/Tokyo"
        self.as_admin.cookies["language"] = "ja"
        page = self.page()
        self.assertContains(page, "<dd>日本語</dd>")
        self.assertContains(page, "<dd>Asia/Tokyo</dd>")


class TokenTests(StatusTestCase):
    def test_the_token_is_refused(self) -> None:
        with self.settings(HUBSPOT_ACCESS_TOKEN="unheard-of"):
            page = self.page()
        self.assertEqual(self.worrying(page), ["hubspot"])
        self.assertEqual(self.levels(page, "hubspot")[0], "wrong")
        self.assert_says(page, "HubSpot does not accept this site's access token.")
        self.assert_says(page, "Copy the token")
        self.assert_says(page, "INVALID_AUTHENTICATION")
        self.assert_says(page, "not known while HubSpot does not accept it")
        self.assertNotContains(page, "Tell the admin")
        self.assertNotContains(page, "unheard-of")

    def test_a_token_that_may_not_see_the_account_is_good_all_the_same(self) -> None:
        self.fault(DETAILS, status=403, body={"category": "MISSING_SCOPES", "message": "no"})
        page = self.page()
        self.assert_says(page, "It is for portal 4242.")
        self.assertContains(page, WELL)

    def test_another_portal(self) -> None:
        with self.settings(HUBSPOT_PORTAL_ID="777"):
            page = self.page()
        self.assertEqual(self.worrying(page), ["hubspot"])
        self.assert_says(page, "HUBSPOT_PORTAL_ID is 777, but the access token is for portal 42")
        self.assertContains(page, "<code>HUBSPOT_PORTAL_ID=4242</code>")

    def test_no_portal_is_set(self) -> None:
        with self.settings(HUBSPOT_PORTAL_ID=""):
            page = self.page()
            self.assert_says(page, "HUBSPOT_PORTAL_ID is not set, so the pages")
            self.assertContains(page, "<code>HUBSPOT_PORTAL_ID=4242</code>")
            self.assertIn("warning", self.levels(page, "hubspot"))
            self.fault(DETAILS, status=200, body={})
            self.fault(TOKEN, status=404, body={"message": "no such token"})
            page = self.page()
            self.assert_says(page, "HubSpot does not tell which it should be")
            self.assert_says(page, "does not tell its portal")

    def test_what_hubspot_echoes_of_it_is_taken_out(self) -> None:
        token = "Canary.7f3a91d0/c5e24b68+kq=="
        for path in (DETAILS, USAGE, TOKEN):
            body = {"message": f"{token} is no good", "correlationId": token, "category": token}
            self.fault(path, status=400, body=body)
        with self.settings(HUBSPOT_ACCESS_TOKEN=token):
            page = self.page()
        self.assertContains(page, "[redacted]")
        self.assertNotContains(page, "Canary")

    def test_what_hubspot_says_is_no_markup(self) -> None:
        body = {"message": "<img src=x>", "correlationId": "<img>", "category": "<img>"}
        for path in (DETAILS, USAGE, TOKEN):
            self.fault(path, status=400, body=body)
        page = self.page()
        self.assertNotContains(page, "<img")
        self.assertContains(page, "&lt;img src=x&gt;", count=4)

    def test_only_the_calls_in_the_page_need_the_token(self) -> None:
        self.page()
        asked = [(each["method"], each["path"]) for each in self.sandbox.requests]
        self.assertEqual(len(asked), 3)
        self.assertIn(("POST", "/oauth/v2/private-apps/get/access-token-info"), asked)
        self.assertNotIn(SANDBOX_TOKEN, [path for _, path in asked])


class ScopeTests(StatusTestCase):
    def test_those_of_types_in_use_and_those_of_others(self) -> None:
        entry_of(self.user)
        with self.settings(HUBSPOT_ACCESS_TOKEN=NO_SCOPES_TOKEN):
            page = self.page()
        self.assertEqual(self.worrying(page), ["hubspot"])
        lines = [
            (line.level, *line.codes)
            for line in page.context["parts"][0].lines
            if len(line.codes) > 1
        ]
        used = ("crm.objects.companies", "crm.objects.contacts")
        others = ("crm.objects.deals", "crm.objects.tickets")
        self.assertEqual(
            lines,
            [
                ("wrong", *(f"{each}.write" for each in used)),
                ("warning", *(f"{each}.read" for each in used)),
                (
                    "warning",
                    *(f"{each}.{action}" for each in others for action in ("read", "write")),
                ),
            ],
        )
        self.assert_says(page, "linked, but not verified")
        self.assertContains(page, "<code>crm.schemas.custom.read</code>")
        self.assert_says(page, "Custom objects show by their numbers")

    def test_what_is_granted_is_not_named(self) -> None:
        with self.settings(HUBSPOT_ACCESS_TOKEN=NO_READ_TOKEN):
            page = self.page()
        self.assert_says(page, "crm.objects.deals.read")
        self.assertNotContains(page, ".write")

    def test_a_custom_type_needs_its_own(self) -> None:
        entry_of(self.user, to_object_type="2-4001")
        granted = [each for each in GRANTED[SANDBOX_TOKEN] if ".custom.w" not in each]
        with mock.patch.dict(GRANTED, {SANDBOX_TOKEN: granted}):
            page = self.page()
        self.assertContains(page, "<code>crm.objects.custom.write</code>")
        self.assertNotContains(page, "crm.objects.custom.read")

    def test_the_older_name_of_the_scope_for_tickets_counts(self) -> None:
        older = [each for each in GRANTED[SANDBOX_TOKEN] if "tickets" not in each]
        with mock.patch.dict(GRANTED, {SANDBOX_TOKEN: older}):
            self.assert_says(self.page(), "crm.objects.tickets.read")
        with mock.patch.dict(GRANTED, {SANDBOX_TOKEN: [*older, "tickets"]}):
            self.assertContains(self.page(), WELL)

    def test_a_kind_of_token_of_which_hubspot_does_not_tell(self) -> None:
        body = {"status": "error", "message": "unknown kind of token"}
        for answer in ({"status": 404, "body": body}, {"status": 200, "body": {"hubId": 4242}}):
            with self.subTest(answer):
                self.fault(TOKEN, **answer)
                page = self.page()
                self.assert_says(page, "Which scopes it has is not told for keys of this kind.")
                self.assert_says(page, "In the last 7 days no request was refused")
                self.assertContains(page, WELL)

    def test_then_what_was_refused_lately_is_told(self) -> None:
        error = {"category": "MISSING_SCOPES", "context": {"missingScopes": ["crm.objects.a.read"]}}
        older = {"category": "MISSING_SCOPES", "context": {"missingScopes": ["crm.objects.b.read"]}}
        refused = {"outcome": "rejected", "cause": "scope_missing", "http_status": 403}
        entry_of(self.user, errors=[error], **refused)
        eight_days_ago = timezone.now() - timedelta(days=8)
        entry_of(self.user, errors=[older], created_at=eight_days_ago, **refused)
        self.fault(TOKEN, status=404, body={"message": "unknown kind of token"})
        page = self.page()
        self.assertEqual(self.worrying(page), ["hubspot"])
        self.assertContains(page, "<code>crm.objects.a.read</code>")
        self.assertNotContains(page, "crm.objects.b.read")


class QuotaTests(StatusTestCase):
    def usage(self, used: int) -> None:
        told = {"usageLimit": 1000, "currentUsage": used, "resetsAt": "2026-11-24T23:00:00Z"}
        self.fault(USAGE, status=200, body={"results": [told]})

    def test_it_is_told_from_which_share_on_it_is_scarce(self) -> None:
        for used, level in ((799, "well"), (800, "warning"), (949, "warning"), (960, "wrong")):
            with self.subTest(used):
                self.usage(used)
                page = self.page()
                self.assertEqual(self.levels(page, "calls"), [level, "well"])
                self.assertEqual("calls" in self.worrying(page), level != "well")
        self.assert_says(page, "40 of 1,000 calls are left; 96.0% are used.")
        self.assertContains(page, "24 Nov 2026, 23:00:00 UTC</time>")
        self.assert_says(page, "Stop what can wait")
        self.assertContains(page, 'width="96.0%"')

    def test_more_than_all_of_it(self) -> None:
        self.usage(1200)
        page = self.page()
        self.assert_says(page, "0 of 1,000 calls are left; 100.0% are used.")
        self.assertContains(page, 'width="100.0%"')

    def test_else_the_newest_answer_of_today_tells(self) -> None:
        headers = {"x-hubspot-ratelimit-daily": "500", "X-HubSpot-RateLimit-Daily-Remaining": "50"}
        self.attempt(headers=headers)
        self.attempt(headers={})
        self.fault(USAGE, status=403, body={"category": "MISSING_SCOPES", "message": "no"})
        page = self.page()
        self.assertEqual(self.levels(page, "calls"), ["warning", "unknown", "well"])
        self.assert_says(page, "50 of 500 calls are left; 90.0% are used.")
        self.assert_says(page, "So said HubSpot's answer of")
        self.assert_says(page, "access token may not read the records")

    def test_an_answer_of_another_day_tells_nothing(self) -> None:
        headers = {"X-HubSpot-RateLimit-Daily": "500", "X-HubSpot-RateLimit-Daily-Remaining": "50"}
        self.attempt(headers=headers, started_at=timezone.now() - timedelta(hours=25))
        self.attempt(headers={"X-HubSpot-RateLimit-Daily": "many"})
        self.fault(USAGE, status=200, body={"results": []})
        page = self.page()
        self.assertEqual(self.levels(page, "calls"), ["unknown", "well"])
        self.assert_says(page, "no answer in the log tells")
        self.assertNotContains(page, 'class="gauge')


class AwayTests(StatusTestCase):
    def test_hubspot_is_down(self) -> None:
        with self.settings(HUBSPOT_API_BASE_URL="http://127.0.0.1:9"):
            page = self.page()
        self.assertContains(page, "HubSpot could not be reached.", count=4)
        self.assertContains(page, "Find out whether this server reaches", count=1)
        self.assert_says(page, "HUBSPOT_PORTAL_ID is 4242. Whether")
        self.assertEqual(self.levels(page, "hubspot"), ["warning", "unknown", "unknown", "well"])
        self.assertEqual(self.worrying(page), ["hubspot"])
        self.assert_says(page, "This site")

    def test_hubspot_is_slow(self) -> None:
        for path in (DETAILS, USAGE, TOKEN):
            self.fault(path, delay=SLOW, times=None)
        start = time.monotonic()
        page = self.page()
        self.assertLess(time.monotonic() - start, SLOW / 3)
        self.assertContains(page, "HubSpot did not answer in time.", count=4)
        self.assertContains(page, "https://status.hubspot.com", count=1)
        self.assertEqual(self.worrying(page), ["hubspot"])

    def test_one_part_that_is_slow_takes_nothing_from_the_others(self) -> None:
        self.fault(USAGE, delay=SLOW, times=None)
        page = self.page()
        self.assertContains(page, "HubSpot did not answer in time.", count=2)
        self.assert_says(page, "It is for portal 4242.")


class VersionTests(StatusTestCase):
    def test_the_version_that_is_set(self) -> None:
        page = self.page()
        self.assert_says(page, "API version v4 is in use.", "HUBSPOT_API_VERSION=2026-09")
        with self.settings(HUBSPOT_API_VERSION="2026-09"):
            page = self.page()
        self.assert_says(page, "API version 2026-09 is in use.")
        self.assertEqual(self.levels(page, "version"), ["well"])


class LogTests(StatusTestCase):
    def test_the_last_seal(self) -> None:
        entry_of(self.user)
        last = seal()[-1]
        page = self.page()
        self.assert_says(page, "The last seal is number 1, of")
        self.assertContains(page, f"<code>{last.head}</code>")

    def test_the_daily_look_at_what_was_linked(self) -> None:
        before = "No link that was made has been looked at since."
        self.assert_says(self.page(), before)
        told = {"links": 12_345, "findings": 3, "not_looked_at": 7, "calls": 40}
        record_event(EventKind.LINKS_SWEPT, **told)
        entry = entry_of(self.user)
        record_finding(entry, Finding.GONE, duration_ms=1, is_linked=False, types=[])
        page = self.page()
        self.assert_says(page, "12,345; 7 more could not be looked at. Changed since: 1.")
        self.assertContains(page, 'href="/changed/"')
        self.assertEqual(self.worrying(page), [])
        with override_settings(SWEEP_QUOTA_PERCENT=0):
            page = self.page()
        self.assertNotContains(page, "looked at last")
        self.assertNotContains(page, before)

    def test_closed_entries_wait_for_long(self) -> None:
        now = timezone.now()
        for minutes, worrying in ((14, []), (16, ["log"])):
            entry_of(self.user, finished_at=now - timedelta(minutes=minutes))
            page = self.page()
            self.assertEqual(self.worrying(page), worrying)
        self.assert_says(page, "Closed entries wait for a seal")
        seal()
        self.assertContains(self.page(), WELL)

    def test_one_that_was_open_when_later_ones_were_sealed(self) -> None:
        entry = entry_of(self.user, outcome="sending", cause="", finished_at=None)
        entry_of(self.user)
        seal()
        closed = {"outcome": "linked", "finished_at": timezone.now() - LONG_AGO}
        AssociationRequest.objects.filter(pk=entry.pk).update(**closed)
        self.assert_says(self.page(), "Closed entries wait for a seal")
        seal()
        self.assertContains(self.page(), WELL)

    def test_a_seal_that_cannot_be_read(self) -> None:
        entry_of(self.user)
        seal()
        settle()
        with as_owner():
            sql("UPDATE associations_auditseal SET manifest = 'nonsense'")
        page = self.page()
        self.assert_says(page, "The last seal cannot be read")
        self.assertEqual(self.worrying(page), ["log"])

    def test_keys(self) -> None:
        for keys, words in (
            ({"AUDIT_SIGNING_KEY": "", "AUDIT_PUBLIC_KEYS": []}, "No key for the seals"),
            ({"AUDIT_PUBLIC_KEYS": ["nonsense"]}, "One of the keys for the seals is no key"),
        ):
            with self.subTest(keys), override_settings(**keys):
                page = self.page()
                self.assertContains(page, words)
                self.assertEqual(self.worrying(page), ["log"])

    def test_a_guard_that_was_taken_off(self) -> None:
        name, table = "hubadmin_associationrequest_closed", AssociationRequest._meta.db_table
        on = f" ON {table}" if connection.vendor == "postgresql" else ""
        sql(f"DROP TRIGGER {name}{on}")
        page = self.page()
        self.assertContains(page, f"<code>{name}</code>")
        self.assert_says(page, "manage.py migrate installs them again")
        self.assertEqual(self.worrying(page), ["log"])

    def test_open_entries(self) -> None:
        now = timezone.now()
        fields = {"outcome": "sending", "cause": "", "finished_at": None}
        young = entry_of(self.user, **fields)
        page = self.page()
        self.assertContains(page, f'<a href="/requests/{young.pk}/">Entry {young.pk}</a> is under')
        self.assertContains(page, WELL)
        old = entry_of(self.user, created_at=now - LONG_AGO, sent_at=now - LONG_AGO, **fields)
        page = self.page()
        self.assertContains(page, f'<a href="/requests/{old.pk}/">Entry {old.pk}</a> has been open')
        self.assertEqual(self.worrying(page), ["log"])


class SiteTests(StatusTestCase):
    def test_what_it_runs_on(self) -> None:
        page = self.page()
        kind = "PostgreSQL" if connection.vendor == "postgresql" else "SQLite"
        self.assertContains(page, f"<dd>{kind} ")
        self.assert_says(page, "on: a link counts as seen")
        with self.settings(HUBSPOT_VERIFY=False):
            self.assert_says(self.page(), "off (HUBSPOT_VERIFY)")


class TimesTests(StatusTestCase):
    def test_the_figures_of_today(self) -> None:
        self.attempt(duration_ms=200)
        self.attempt(duration_ms=1200, http_status=404)
        page = self.page(TIMES)
        self.assert_says(page, "Attempts 2", "Median 0.70 s", "95 of 100 within 1.20 s")
        self.assert_says(page, "Slowest 1.20 s", "Failed 50.0%")
        self.assertNotContains(page, "Covers the newest")
        self.assertNotContains(page, "no answer")

    def test_what_got_no_answer_has_no_time(self) -> None:
        self.attempt(http_status=None, failure="timed_out", duration_ms=10_000)
        page = self.page(TIMES)
        self.assert_says(page, "Failed 100.0%", "1 attempt got no answer")
        self.assertNotContains(page, "Median")

    def test_more_than_are_looked_at(self) -> None:
        for _ in range(3):
            self.attempt()
        with mock.patch("associations.status.latency.COVERED", 2):
            self.assert_says(self.page(TIMES), "Covers the newest 2 attempts of the day")

    def test_it_is_a_part_of_the_page_and_a_page_of_its_own(self) -> None:
        self.attempt()
        self.assertContains(self.page(), f'hx-get="{TIMES}"')
        self.assertContains(self.page(TIMES), "<h1>")
        part = self.page(TIMES, hx_request="true")
        self.assertNotContains(part, "<h1>")
        self.assertContains(part, "<svg")

    def test_a_database_that_needs_too_long(self) -> None:
        with endless_attempts(), mock.patch("associations.status.views.TIMES_SECONDS", 0.1):
            for headers in ({}, {"hx_request": "true"}):
                page = self.page(TIMES, **headers)
                self.assertContains(page, "needs too long", status_code=503)
                self.assertEqual(b"<html" in page.content, not headers)


class LinkedTests(StatusTestCase):
    def test_what_a_person_just_did_shows(self) -> None:
        self.client.post("/", LINK)
        self.assertContains(self.page(TIMES), "<dd>1</dd>")
