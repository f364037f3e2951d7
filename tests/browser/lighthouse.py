"""Lighthouse's scores of the main pages, signed in: `python -m tests.browser.lighthouse`.

Needs `npm ci --prefix tests/browser`. SEO is left out: the pages of an internal tool are noindex.
"""

import json
import os
import re
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import product
from pathlib import Path

import django

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "tests.settings")
django.setup()

from playwright.sync_api import sync_playwright

from tests.browser.base import FLAGS
from tests.demo import Demo, Person
from tests.support import chromium_path

LIGHTHOUSE = Path(__file__).parent / "node_modules/.bin/lighthouse"
CATEGORIES = ("performance", "accessibility", "best-practices")
ENTRIES = 60
LISTENING = re.compile(r"DevTools listening on ws://[^/]*:(\d+)/")
POSTED = {
    "from_object_type": "Contact",
    "from_object_id": "501",
    "to_object_type": "Company",
    "to_object_id": "902",
}
PAGES = {
    "form": "/",
    "result": "/requests/1/",
    "audit log": "/audit/",
    "figures": "/audit/figures/",
    "integrity": "/audit/integrity/",
}


@contextmanager
def signed_in(demo: Demo, folder: str) -> Iterator[int]:
    """A browser in which the admin is signed in; gives the port of its debugger.

    A header with the session would not do: once a script sets a cookie, the browser sends its own.
    """
    command = [chromium_path(whole=True), *FLAGS, "--headless=new", "--remote-debugging-port=0"]
    command += [f"--user-data-dir={folder}", "about:blank"]
    browser = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
    try:
        port = next(filter(None, (LISTENING.search(line) for line in browser.stderr)))[1]
        sign_in(demo, port)
        yield int(port)
    finally:
        browser.terminate()
        browser.communicate()


def sign_in(demo: Demo, port: str) -> None:
    with sync_playwright() as playwright:
        browser = playwright.chromium.connect_over_cdp(f"http://127.0.0.1:{port}")
        page = browser.contexts[0].pages[0]
        page.goto(f"{demo.address}/demo/sign-in")
        page.click("button[value=admin]")
        page.wait_for_url(f"{demo.address}/")


def measure(address: str, port: int, form_factor: str) -> dict:
    """Return Lighthouse's report of one page, seen by the browser at that port."""
    preset = ["--preset=desktop"] if form_factor == "desktop" else []
    command = [
        str(LIGHTHOUSE),
        address,
        *preset,
        "--quiet",
        "--output=json",
        f"--only-categories={','.join(CATEGORIES)}",
        f"--port={port}",
    ]
    done = subprocess.run(command, capture_output=True, text=True, timeout=180)
    if done.returncode:
        sys.exit(done.stderr)
    report = json.loads(done.stdout)
    if report["finalDisplayedUrl"] != address:
        sys.exit(f"{address} led to {report['finalDisplayedUrl']}")
    return report


def shortcomings(report: dict) -> list[str]:
    """Return what kept the scores from being full, heaviest first."""
    weights = {
        each["id"]: each["weight"]
        for category in report["categories"].values()
        for each in category["auditRefs"]
    }
    short = [
        audit
        for audit in report["audits"].values()
        if audit["score"] is not None and audit["score"] < 1 and weights.get(audit["id"])
    ]
    short.sort(key=lambda audit: -weights[audit["id"]])
    return [f"{a['id']}: {a['title']} ({a.get('displayValue', '')})" for a in short]


def tell(title: str, report: dict) -> None:
    scores = [round(100 * report["categories"][name]["score"]) for name in CATEGORIES]
    print(title + "".join(f"{score:>16}" for score in scores), flush=True)
    for line in shortcomings(report):
        print("    " + line)


def main() -> None:
    with (
        tempfile.TemporaryDirectory() as folder,
        Demo(Path(folder) / "demo") as demo,
        signed_in(demo, f"{folder}/browser") as port,
    ):
        admin = Person(demo, "admin")
        for _ in range(ENTRIES):
            admin.post("/", **POSTED)
        print(f"{'page':<20}{'':<10}" + "".join(f"{name:>16}" for name in CATEGORIES))
        for (name, path), form_factor in product(PAGES.items(), ("desktop", "mobile")):
            tell(f"{name:<20}{form_factor:<10}", measure(demo.address + path, port, form_factor))


if __name__ == "__main__":
    main()
