"""300 rows out of a real spreadsheet, from the file to the last link, in a real browser:
`python -m tests.browser.spreadsheet [--pictures FOLDER]`.

Ids, e-mail addresses and domains mixed, a `Ticket` column, two companies with one domain, and five
rows that are wrong. Prints what was the goal and what was measured; with pictures of each step,
light and dark, wide and narrow, in English and in Japanese. Exit code 1: a goal is missed.
"""

import argparse
import csv
import os
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import django

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "tests.settings")
django.setup()

import requests
from playwright.sync_api import Browser, Page, sync_playwright

from tests.browser.base import FLAGS
from tests.browser.counting import Counting
from tests.browser.finding import Table
from tests.demo import Demo
from tests.support import chromium_path, records_to_find, warm_up

ROWS, FAULTS, TWINS = 300, 5, 9
MOST_CLICKS, MOST_SECONDS = 3, 60.0
LOOKS: dict[str, dict[str, Any]] = {
    "wide-light": {"viewport": {"width": 1280, "height": 900}},
    "wide-dark": {"viewport": {"width": 1280, "height": 900}, "color_scheme": "dark"},
    "narrow-light": {"viewport": {"width": 390, "height": 844}},
    "narrow-dark": {"viewport": {"width": 390, "height": 844}, "color_scheme": "dark"},
    "wide-ja": {"viewport": {"width": 1280, "height": 900}, "locale": "ja"},
}


class Spreadsheet:
    """The rows, and how many of them come to what."""

    def __init__(self) -> None:
        self._contacts = [each for each in records_to_find("0-1") if each.get("email")]
        self._companies = _of_one_domain(records_to_find("0-2"))

    def lines(self) -> Iterator[list[str]]:
        yield ["Contact", "Company", "Ticket"]
        for number in range(ROWS):
            yield [*self._pair(number), f"Ticket #{5000 + number}"]

    def _pair(self, number: int) -> tuple[str, str]:
        contact, company = self._contacts[100 + number], self._companies[100 + number]
        by_mail, by_domain = contact["email"], company["domain"]
        match number:
            case 8 | 34:
                return "nobody@nowhere.example", company["hs_object_id"]
            case 21:
                return contact["hs_object_id"], ""
            case 78:
                return "7000001", company["hs_object_id"]
            case 121:
                return contact["hs_object_id"], "gmail.com"
            case _ if number % 30 == 7 and number < 30 * TWINS:
                return contact["hs_object_id"], "twin.example"
        return (
            by_mail if number % 4 == 3 else contact["hs_object_id"],
            by_domain if number % 5 == 2 else company["hs_object_id"],
        )


def begin_anew(hubspot: str) -> None:
    """Have nothing linked, and two companies with one domain."""
    twins = [
        {"type": "companies", "properties": {"name": f"Twin Bakery {n}", "domain": "twin.example"}}
        for n in (1, 2)
    ]
    for name, posted in (("reset", None), ("records", twins)):
        address = f"{hubspot}/_sandbox/{name}"
        requests.post(address, json=posted, timeout=30).raise_for_status()
    warm_up(hubspot)


def _of_one_domain(companies: list[dict[str, str]]) -> list[dict[str, str]]:
    seen: dict[str, list[dict[str, str]]] = {}
    for each in companies:
        seen.setdefault(each.get("domain", "").lower(), []).append(each)
    return [found[0] for domain, found in seen.items() if domain and len(found) == 1]


@contextmanager
def somebody(demo: Demo, browser: Browser, **options: Any) -> Iterator[Page]:
    context = browser.new_context(base_url=demo.address, **{"locale": "en"} | options)
    page = context.new_page()
    page.goto("/demo/sign-in")
    page.locator("button[value=support]").click()
    page.wait_for_url("**/")
    yield page
    context.close()


def link_all(page: Page, file: Path, table: Table) -> int:
    """Upload, look, link; return the number of the run."""
    it = Counting(page)
    page.goto("/bulk/")
    it.begin()
    begun = time.monotonic()
    page.set_input_files("#id_file", file)  # the dialogue is the system's: a click, and its own
    page.click("text=Upload and check")
    it.wait("document.querySelector('.start .primary')", seconds=60)
    looked = time.monotonic() - begun
    told = page.locator("#run").inner_text()
    page.click(".start .primary")
    it.wait("document.body.innerText.includes('pairs are linked')", seconds=120)
    whole = time.monotonic() - begun
    clicks = it.clicks + 1
    table.add("clicks, that for the file included", f"≤ {MOST_CLICKS}", str(clicks), clicks <= 3)
    measured = f"{looked:.1f} s to look, {whole:.1f} s in all"
    table.add("time", f"≤ {MOST_SECONDS:.0f} s", measured, whole <= MOST_SECONDS)
    ready = ROWS - FAULTS - TWINS
    table.add("ready", str(ready), _number_of(told, "Ready to link"), f"\n{ready}" in told)
    table.add(
        "needs a choice", str(TWINS), _number_of(told, "Needs a choice"), f"\n{TWINS}" in told
    )
    return int(page.url.rstrip("/").rpartition("/")[2].split("?")[0])


def _number_of(text: str, label: str) -> str:
    return text.partition(label)[2].split()[0]


def left_for_hand(page: Page, run: int, table: Table) -> None:
    """The rows that are not linked are those that are wrong, and the twins nobody chose among."""
    with page.expect_download() as download:
        page.evaluate(f"location.assign('/bulk/{run}/results.csv')")
    rows = list(csv.DictReader(download.value.path().open(encoding="utf-8-sig")))
    left = [row for row in rows if row["linked"] != "yes"]
    wanted = FAULTS + TWINS
    table.add(
        "left for hand", f"{wanted}, those that are wrong", str(len(left)), len(left) == wanted
    )


def pictures(demo: Demo, browser: Browser, file: Path, folder: Path) -> None:
    for name, options in LOOKS.items():
        begin_anew(demo.hubspot)
        with somebody(demo, browser, **options) as page:

            def picture(step: str, page: Page = page, name: str = name) -> None:
                page.screenshot(path=folder / f"{step}-{name}.png", full_page=True)

            page.goto("/bulk/")
            picture("1-upload")
            page.set_input_files("#id_file", file)
            page.locator("form[enctype] button.primary, form[enctype] button").first.click()
            page.wait_for_url("**/bulk/*/")
            page.wait_for_selector(".start .primary", timeout=60_000)
            picture("2-check")
            for group in page.locator(".choices").all():
                group.locator("input[type=radio]").first.check()
            page.locator("form[action$='/choices/'] button").click()
            page.wait_for_selector(".start .primary", timeout=60_000)
            picture("3-chosen")
            page.click(".start .primary")
            page.wait_for_selector("a[href$='results.csv']", timeout=120_000)
            page.wait_for_selector(".headline", timeout=120_000)
            page.wait_for_function("() => true")
            picture("4-ended")
            page.goto("/bulk/")
            picture("5-list")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--pictures", type=Path)
    options = parser.parse_args()
    table = Table()
    with tempfile.TemporaryDirectory() as folder, sync_playwright() as playwright:
        file = Path(folder) / "pairs.csv"
        with Demo(Path(folder) / "demo") as demo:
            begin_anew(demo.hubspot)
            with file.open("w", newline="", encoding="utf-8") as out:
                csv.writer(out).writerows(Spreadsheet().lines())
            browser = playwright.chromium.launch(executable_path=chromium_path(), args=FLAGS)
            with somebody(demo, browser) as page:
                run = link_all(page, file, table)
                left_for_hand(page, run, table)
            if options.pictures:
                options.pictures.mkdir(parents=True, exist_ok=True)
                pictures(demo, browser, file, options.pictures)
            browser.close()
    table.tell()
    sys.exit(int(table.is_missed))


if __name__ == "__main__":
    main()
