"""Bulk runs in a real browser: from the file to the results, with and without JavaScript."""

import csv
import re
import sqlite3
import time
from contextlib import suppress
from datetime import UTC, datetime, timedelta

from playwright.sync_api import Page, expect
from playwright.sync_api import TimeoutError as PlaywrightTimeoutError

from tests.browser.base import BrowserTestCase
from tests.browser.bulk import archive, freeze, upload, uploaded_rows

SECONDS = 20_000  # milliseconds for what a worker does


class BulkTests(BrowserTestCase):
    def start(self, page: Page, content: bytes) -> None:
        upload(page, content)
        page.click(".start .primary", timeout=SECONDS)

    def test_from_the_file_to_the_results(self) -> None:
        page = self.signed_in()
        upload(page, uploaded_rows(30, bad=2, missing=1))
        said = page.locator("#announcement")
        expect(said).to_have_text("The rows are read. The run can be started.", timeout=SECONDS)
        expect(page.locator("#run")).to_contain_text("30 of 33 rows can be sent.")
        archive(self, "contacts", "1000030")
        page.click("text=Start: link 30 pairs")
        expect(page.locator("#run")).to_contain_text("29 of 30 pairs are linked.", timeout=SECONDS)
        with page.expect_download() as download:
            page.click("text=Download the results")
        rows = list(csv.DictReader(download.value.path().open(encoding="utf-8-sig")))
        states = [row["state"] for row in rows]
        self.assertEqual(states, ["linked"] * 29 + ["rejected"] + ["invalid"] * 3)
        page.click(".group:has(a.row-link) summary")
        page.click(".group a.row-link")
        expect(page.locator("h1")).to_contain_text("HubSpot has no contact 1000030.")

    def test_without_javascript(self) -> None:
        page = self.signed_in(java_script_enabled=False)
        upload(page, uploaded_rows(3, first=1_001_001))
        self.look_until(page, "text=Start: link 3 pairs")
        page.click("text=Start: link 3 pairs")
        self.look_until(page, "text=3 of 3 pairs are linked.")

    def look_until(self, page: Page, wanted: str) -> None:
        deadline = time.monotonic() + SECONDS / 1000
        while not page.locator(wanted).count():
            self.assertLess(time.monotonic(), deadline, page.content())
            # It may be gone by now: the page loads itself anew from time to time.
            with suppress(PlaywrightTimeoutError):
                page.locator("noscript a").click(timeout=SECONDS / 10)

    def test_it_stays_up_to_date_and_leaves_what_one_does_alone(self) -> None:
        page = self.signed_in()
        self.start(page, uploaded_rows(3, first=1_002_001))
        page.wait_for_selector("text=Download the results", timeout=SECONDS)
        freeze(self, page, "running", linked=1)
        page.unroute_all()
        page.click("text=Cancel …")
        page.locator("#cancel").focus()
        with page.expect_response("**/progress/*") as answer:
            pass
        self.assertNotIn("hx-retarget", answer.value.headers)
        expect(page.locator("#state")).to_contain_text("running")
        expect(page).to_have_title(re.compile(r"\(running\)"))
        with page.expect_response("**/progress/*"):
            self.pause_all_runs()
        expect(page.locator("#state")).to_contain_text("waiting", timeout=SECONDS)
        expect(page).to_have_title(re.compile(r"\(waiting\)"))
        expect(page.locator("text=Cancel the run")).to_be_visible()
        expect(page.locator("#cancel")).to_be_focused()
        expect(page.locator("#progress")).to_contain_text("1 of 3 pairs are done (33%)")

    def pause_all_runs(self) -> None:
        """As HubSpot has them wait; the run itself stays as it is."""
        now, until = (
            f"{datetime.now(UTC) + timedelta(minutes=n):%Y-%m-%d %H:%M:%S}" for n in (0, 5)
        )
        with sqlite3.connect(self.demo.folder / "hubadmin.sqlite3", timeout=20) as base:
            base.execute(
                "INSERT OR REPLACE INTO associations_callpause (id, made_at, until, cause)"
                " VALUES (1, ?, ?, 'migrating')",
                [now, until],
            )
        self.addCleanup(self.end_pause)

    def end_pause(self) -> None:
        with sqlite3.connect(self.demo.folder / "hubadmin.sqlite3", timeout=20) as base:
            base.execute("DELETE FROM associations_callpause")

    def test_the_number_on_the_button_follows_what_is_left_out(self) -> None:
        page = self.signed_in()
        self.linked_already("contacts", "1003001", "companies", "2000001")
        upload(page, uploaded_rows(3, first=1_003_001))
        expect(page.locator("text=Start: link 2 pairs")).to_be_visible(timeout=SECONDS)
        page.uncheck("#skip-linked")
        expect(page.locator("text=Start: link 3 pairs")).to_be_visible()
        expect(page.locator("text=Start: link 2 pairs")).to_be_hidden()

    def test_a_file_that_is_too_large_is_not_sent(self) -> None:
        page = self.signed_in()
        page.goto("/bulk/")
        page.eval_on_selector("#id_file", "field => field.dataset.maxBytes = 10")
        page.fill("#id_reason", "SUP-1")
        file = {"name": "a.csv", "mimeType": "text/csv", "buffer": b"x" * 11}
        page.set_input_files("#id_file", file)
        page.click("text=Upload and check")
        text = page.eval_on_selector("#id_file", "field => field.validationMessage")
        self.assertIn("20.0\xa0MB are taken", text)
        self.assertEqual(page.input_value("#id_reason"), "SUP-1")
        self.assertTrue(page.url.endswith("/bulk/"))
