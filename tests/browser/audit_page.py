"""The audit log as an admin meets it: `python -m tests.browser.audit_page`.

Counts the rows above the fold in logs of several sizes, then answers "who linked this contact to
that company last Tuesday, and why did five fail?" and prints each step. `--million` tries a log of
a million entries, too; `--shots FOLDER` takes pictures.
"""

import argparse
import os
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

import django

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "tests.settings")
django.setup()

from django.db import connection
from django.utils import timezone
from playwright.sync_api import Page

from tests import audit_log
from tests.associations.linking.base import named_entry_of
from tests.browser.base import BrowserTestCase
from tests.support import person

SIZES = (0, 9, 10_000)
SCREENS = {"desk": (1280, 800, 10), "phone": (390, 844, 3)}  # width, height, rows that shall stand
ABOVE_THE_FOLD = """() => [...document.querySelectorAll('table.entries tbody tr:not(.day)')]
    .filter(row => row.getBoundingClientRect().bottom <= innerHeight).length"""
NAMES = [("Ada Byron", "Analytical Ltd"), ("Bruno Kaya", "Bakery GmbH"), ("田中 花子", "桜商事")]
FAILED = {"outcome": "rejected", "cause": "record_not_found", "http_status": 404}


class AuditPage(BrowserTestCase):
    shots: Path | None = None
    sizes: tuple[int, ...] = SIZES

    def everything(self) -> None:
        os.environ["DJANGO_ALLOW_ASYNC_UNSAFE"] = "1"  # Playwright has a loop of its own beside us
        file = self.demo.folder / "hubadmin.sqlite3"
        connection.settings_dict["NAME"] = str(file)
        self.mina = person("Mina Santos", "support")
        page = self.signed_in("admin", viewport={"width": 1280, "height": 800})
        filled = 0
        for size in self.sizes:
            self.fill_up(filled, size)
            filled = size
            self.measure(page, size)
        self.question(page)

    # --- rows above the fold --------------------------------------------------------------------

    def fill_up(self, filled: int, size: int) -> None:
        if size - filled > 100:
            audit_log.fill(size - filled)
            return
        for number in range(filled, size):
            outcome = FAILED if number % 4 == 3 else {}
            at = timezone.now() - timedelta(hours=7 * number)
            told = {"created_at": at, "sent_at": at, "finished_at": at, "reason": f"SUP-{number}"}
            named_entry_of(self.mina, *NAMES[number % len(NAMES)], **outcome, **told)

    def measure(self, page: Page, size: int) -> None:
        for name, (width, height, least) in SCREENS.items():
            page.set_viewport_size({"width": width, "height": height})
            start = time.perf_counter()
            page.goto("/audit/")
            took = time.perf_counter() - start
            page.wait_for_load_state("networkidle")
            rows = page.evaluate(ABOVE_THE_FOLD)
            goal = min(size, least)
            mark = "" if rows >= goal else f" ! goal {goal}"
            print(f"{size} entries, {name}: {rows} rows above the fold, {took * 1000:.0f} ms{mark}")
            self.shoot(page, f"audit-{size}-{name}")

    def shoot(self, page: Page, name: str) -> None:
        if self.shots is None:
            return
        for scheme in ("light", "dark"):
            page.emulate_media(color_scheme=scheme)
            page.screenshot(path=self.shots / f"{name}-{scheme}.png")
        page.emulate_media(color_scheme="light")

    # --- the question ---------------------------------------------------------------------------

    def question(self, page: Page) -> None:
        self.last_tuesday()
        page.set_viewport_size({"width": 1280, "height": 800})
        page.goto("/audit/")
        page.fill("#id_q", "Ada Byron last Tuesday")
        page.click("form.search button")
        page.wait_for_url("**name=Ada*")
        print("1. “Ada Byron last Tuesday”, Search:", page.url.partition("/audit/")[2])
        linked = page.locator("tr", has=page.locator(".outcome.linked")).first
        print("   linked by", linked.locator(".who").inner_text())
        self.shoot(page, "audit-question-1")
        page.locator(".log .outcome.rejected").first.click()
        page.wait_for_url("**outcome=rejected*")
        rows = page.locator("table.log tbody tr:not(.day)")
        print(f"2. “rejected” in a row: {rows.count()} failed:")
        for row in rows.all():
            print("   ", " ".join(row.inner_text().split()))
        self.shoot(page, "audit-question-2")
        rows.first.locator("a.row-link").click()
        page.wait_for_url("**/requests/*/")
        print("3. the first of them:", page.title())

    def last_tuesday(self) -> None:
        today = timezone.now().date()
        day = today - timedelta((today.weekday() - 1) % 7 or 7)
        noon = datetime(day.year, day.month, day.day, 12, tzinfo=UTC)
        pair = ("Ada Byron", "Analytical Ltd")
        for number in range(6):
            ended = {"created_at": noon + timedelta(minutes=number)}
            ended |= {"sent_at": noon, "finished_at": noon, "reason": "SUP-48213"}
            if number < 5:
                ended |= FAILED | {"error_text": "Object 383 could not be found"}
            named_entry_of(self.mina, *pair, **ended)


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.browser.audit_page")
    parser.add_argument("--million", action="store_true", help="a log of a million entries, too")
    parser.add_argument("--shots", type=Path, help="a folder for pictures")
    options = parser.parse_args()
    AuditPage.shots = options.shots
    AuditPage.sizes = (*SIZES, 1_000_000) if options.million else SIZES
    AuditPage.setUpClass()
    try:
        case = AuditPage("everything")
        case.setUp()
        case.everything()
        case.doCleanups()
    finally:
        AuditPage.doClassCleanups()


if __name__ == "__main__":
    main()
