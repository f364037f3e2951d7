"""A real Chromium on a running demo."""

import tempfile
import unittest
from pathlib import Path
from typing import Any

import requests
from django.test import tag
from playwright.sync_api import Page, sync_playwright

from tests.demo import Demo
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


@tag("own_database")
@needed(bool(chromium_path()), "Chromium")
class BrowserTestCase(unittest.TestCase):
    """One demo and one browser for the class, a browser context of its own for each test."""

    @classmethod
    def setUpClass(cls) -> None:
        super().setUpClass()
        folder = cls.enterClassContext(tempfile.TemporaryDirectory())
        cls.demo = cls.enterClassContext(Demo(Path(folder) / "demo"))
        playwright = cls.enterClassContext(sync_playwright())
        cls.browser = playwright.chromium.launch(executable_path=chromium_path(), args=FLAGS)
        cls.addClassCleanup(cls.browser.close)

    def setUp(self) -> None:
        self.reset()

    def reset(self) -> None:
        """Have HubSpot's stand-in forget what was linked and what it was to play."""
        requests.post(f"{self.demo.hubspot}/_sandbox/reset", timeout=5)

    def linked_already(self, *association: str) -> None:
        """Link two records without hubadmin: `contacts`, `501`, `companies`, `902`."""
        names = ("from_type", "from_id", "to_type", "to_id")
        link = dict(zip(names, association, strict=True))
        address = f"{self.demo.hubspot}/_sandbox/associations"
        requests.post(address, json=link, timeout=5).raise_for_status()

    def fault(self, **fields: Any) -> None:
        answer = requests.post(f"{self.demo.hubspot}/_sandbox/faults", json=fields, timeout=5)
        answer.raise_for_status()

    def puts(self) -> list[dict[str, Any]]:
        received = requests.get(f"{self.demo.hubspot}/_sandbox/requests", timeout=5).json()
        return [request for request in received if request["method"] == "PUT"]

    def signed_in(self, name: str = "support", **options: Any) -> Page:
        """A fresh browser window, signed in, on the form. Errors on the page fail the test."""
        context = self.browser.new_context(base_url=self.demo.address, **options)
        self.addCleanup(context.close)
        page = context.new_page()
        page.on("pageerror", lambda error: self.fail(f"script error: {error}"))
        page.goto("/demo/sign-in")
        page.locator(f"button[value={name}]").click()
        page.wait_for_url("**/")
        return page

    @staticmethod
    def fill(page: Page, from_type: str, from_id: str, to_type: str, to_id: str) -> None:
        page.fill("#id_from_object_type", from_type)
        page.fill("#id_from_object_id", from_id)
        page.fill("#id_to_object_type", to_type)
        page.fill("#id_to_object_id", to_id)

    def link(self, page: Page, *association: str) -> None:
        page.goto("/")
        self.fill(page, *association)
        page.click("text=Link records")
        page.wait_for_load_state()
