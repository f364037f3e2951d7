"""Link two records by keyboard alone, and tell what is heard: `python -m tests.browser.keyboard`.

At each stop: the focused element as the accessibility tree has it, and what live regions announce.
In between: the page's content as a screen reader walks through it.
"""

import os
import tempfile
from pathlib import Path
from typing import Any

import django

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "tests.settings")
django.setup()

from playwright.sync_api import Locator, Page, sync_playwright

from tests.browser.base import FLAGS
from tests.demo import Demo
from tests.support import chromium_path

MOST_STOPS = 60
ANNOUNCE_MS = 1500
SILENT = {"focusable", "editable", "settable", "multiline", "live", "atomic", "relevant"}

# What changes in a live region is what a screen reader says without being asked.
LISTEN = """
window.announced = [];
const live = "[aria-live]:not([aria-live=off]), [role=status], [role=alert]";
const hear = (changes) => {
  const regions = changes.map(({ target }) => (target.closest ?? (() => null)).call(target, live)
    ?? target.parentElement?.closest(live));
  for (const region of new Set(regions.filter(Boolean))) {
    announced.push(region.innerText.trim().replace(/\\s+/g, " "));
  }
};
new MutationObserver(hear).observe(document, {
  subtree: true, childList: true, characterData: true,
});
"""


class Walk:
    """Somebody at a keyboard, with the page read out to them."""

    def __init__(self, page: Page) -> None:
        self.page, self.tree = page, page.context.new_cdp_session(page)
        page.add_init_script(LISTEN)

    def press(self, key: str) -> None:
        self.page.keyboard.press(key)
        self.tell(key)

    def follow(self) -> None:
        """Press Enter on what leads elsewhere, and listen there."""
        with self.page.expect_navigation():
            self.page.keyboard.press("Enter")
        self.tell("Enter")
        self.wait()

    def type(self, text: str) -> None:
        self.page.keyboard.type(text)
        self.tell(f"“{text}”")

    def go_to(self, wanted: Locator) -> None:
        """Press Tab until one is there, unless one is."""
        if not wanted.evaluate("element => element === document.activeElement"):
            self.tab_to(wanted)

    def tab_to(self, wanted: Locator) -> None:
        for _ in range(MOST_STOPS):
            self.press("Tab")
            if wanted.evaluate("element => element === document.activeElement"):
                return
        raise SystemExit(f"{wanted} cannot be reached with Tab")

    def tell(self, what: str) -> None:
        print(f"{what:<14} {self.focused()}")
        self.tell_announced()

    def wait(self) -> None:
        """Listen for what comes by itself."""
        self.page.wait_for_timeout(ANNOUNCE_MS)
        self.tell_announced()

    def tell_announced(self) -> None:
        for text in self.page.evaluate("announced.splice(0)"):
            print(f"{'':<14} announced: {text or '(nothing any more)'}")

    def tell_page(self, title: str) -> None:
        snapshot = self.page.locator("body").aria_snapshot()
        print(f"\n--- {title}: {self.page.title()} ---\n{snapshot}\n")

    def focused(self) -> str:
        element = self.tree.send("Runtime.evaluate", {"expression": "document.activeElement"})
        wanted = {"objectId": element["result"]["objectId"], "fetchRelatives": False}
        node = self.tree.send("Accessibility.getPartialAXTree", wanted)["nodes"][0]
        return _words(node)


def _words(node: dict[str, Any]) -> str:
    """Return role, name, value, description and states of a node of the accessibility tree."""
    said = [node.get("role", {}).get("value", "?"), f"“{_text(node, 'name')}”"]
    said += [
        f"{part}: {_text(node, part)}" for part in ("value", "description") if _text(node, part)
    ]
    states = {each["name"]: each["value"].get("value") for each in node.get("properties", [])}
    said += [f"{name}={value}" for name, value in states.items() if _is_said(name, value)]
    return ", ".join(said)


def _text(node: dict[str, Any], part: str) -> str:
    return str(node.get(part, {}).get("value", ""))


def _is_said(name: str, value: object) -> bool:
    return name not in SILENT and value not in (None, False, "false", "")


def link(walk: Walk, from_id: str, to_id: str) -> None:
    """Fill in the form and send it."""
    page = walk.page
    for side, record in (("This record", from_id), ("belongs to", to_id)):
        walk.go_to(page.get_by_role("combobox", name=side, exact=True))
        walk.type(record)
        walk.wait()
        walk.press("Tab")
        walk.wait()
    walk.go_to(page.locator(".link-form .primary"))
    walk.follow()


def walk_through(page: Page) -> None:
    walk = Walk(page)
    page.goto("/demo/sign-in")
    walk.tab_to(page.get_by_role("button", name="Mina Sato"))
    walk.follow()
    walk.tell_page("The form")
    link(walk, "contact 05", "company 902")
    walk.tell_page("With an error")
    walk.tab_to(page.get_by_role("alert").get_by_role("link").first)
    walk.follow()
    page.goto("/")
    link(walk, "ada@example.com", "company 902")
    walk.tell_page("The form again, with what was linked")


def main() -> None:
    with (
        tempfile.TemporaryDirectory() as folder,
        Demo(Path(folder) / "demo") as demo,
        sync_playwright() as playwright,
    ):
        browser = playwright.chromium.launch(executable_path=chromium_path(), args=FLAGS)
        page = browser.new_page(base_url=demo.address, locale="en")
        walk_through(page)
        browser.close()


if __name__ == "__main__":
    main()
