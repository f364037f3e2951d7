"""A real Chromium on a running demo."""

import re
import sqlite3
import tempfile
import unittest
from contextlib import closing
from pathlib import Path
from typing import Any

import requests
from django.test import tag
from playwright.sync_api import Page, expect, sync_playwright

from associations.gateway.rate_limiter import FIRST_OF_PEOPLE, file_beside
from tests.demo import Demo, ready
from tests.support import chromium_path, needed

# Without the background traffic of a browser at home; as root it needs --no-sandbox.
FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
# However busy the machine is; what is there already is not waited for.
PAGE_MS, PART_MS = 120_000, 30_000
expect.set_options(timeout=PART_MS)


@tag("own_database")
@needed(bool(chromium_path()), "Chromium")
class BrowserTestCase(unittest.TestCase):
    """One demo and one browser for the class, a browser context of its own for each test."""

    environment: dict[str, str] = {}  # of the demo

    @classmethod
    def setUpClass(cls) -> None:
        super().setUpClass()
        folder = cls.enterClassContext(tempfile.TemporaryDirectory())
        cls.demo = cls.enterClassContext(Demo(ready(Path(folder) / "demo"), **cls.environment))
        playwright = cls.enterClassContext(sync_playwright())
        cls.browser = playwright.chromium.launch(executable_path=chromium_path(), args=FLAGS)
        cls.addClassCleanup(cls.browser.close)

    def setUp(self) -> None:
        self.reset()

    def reset(self) -> None:
        """Have HubSpot's stand-in forget what was linked and what it was to play.

        And hubadmin how much each person has looked up: a quick machine looks at more within a
        minute than it allows a person.
        """
        requests.post(f"{self.demo.hubspot}/_sandbox/reset", timeout=30)
        calls = file_beside(self.demo.folder / "hubadmin.sqlite3")
        forget = "UPDATE associations_callslot SET used_at = 0 WHERE number >= ?"
        with closing(sqlite3.connect(calls, timeout=30)) as base, base:
            if base.execute("SELECT name FROM sqlite_master").fetchone():  # somebody has called
                base.execute(forget, [FIRST_OF_PEOPLE])

    def linked_already(self, *association: str, label: str = "") -> None:
        """Link two records without hubadmin: `contacts`, `501`, `companies`, `902`."""
        names = ("from_type", "from_id", "to_type", "to_id")
        link = dict(zip(names, association, strict=True)) | ({"label": label} if label else {})
        address = f"{self.demo.hubspot}/_sandbox/associations"
        requests.post(address, json=link, timeout=30).raise_for_status()

    def fault(self, **fields: Any) -> None:
        answer = requests.post(f"{self.demo.hubspot}/_sandbox/faults", json=fields, timeout=30)
        answer.raise_for_status()

    def puts(self) -> list[dict[str, Any]]:
        received = requests.get(f"{self.demo.hubspot}/_sandbox/requests", timeout=30).json()
        return [request for request in received if request["method"] == "PUT"]

    def signed_in(self, name: str = "support", **options: Any) -> Page:
        """A fresh browser window, signed in, on the form. Errors on the page fail the test."""
        context = self.browser.new_context(base_url=self.demo.address, **options)
        self.addCleanup(context.close)
        context.set_default_timeout(PAGE_MS)
        page = context.new_page()
        page.on("pageerror", lambda error: self.fail(f"script error: {error}"))
        page.goto("/demo/sign-in")
        page.locator(f"button[value={name}]").click()
        page.wait_for_url("**/")
        # What is typed before the first box has the focus goes nowhere.
        expect(page.locator("#id_from_object_id")).to_be_focused()
        return page

    @staticmethod
    def fill(page: Page, from_type: str, from_id: str, to_type: str, to_id: str) -> None:
        """Name both records in their boxes, as `contact 501`."""
        for side, text in (("from", f"{from_type} {from_id}"), ("to", f"{to_type} {to_id}")):
            page.fill(f"#id_{side}_object_id", text.strip())
        page.locator("#id_to_object_id").blur()  # then what it names is a card

    @staticmethod
    def linked_now(page: Page, words: str = "is now linked", **options: float) -> None:
        """The page is the form again, and says that this was linked just now."""
        expect(page).to_have_title(re.compile(f"{words}.* · Link two records"), **options)
        expect(page.locator("#linked")).to_contain_text("Linked")

    def link(self, page: Page, *association: str) -> None:
        page.goto("/")
        self.fill(page, *association)
        page.click(".link-form .primary")
        page.wait_for_load_state()
