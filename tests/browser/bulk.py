"""Bulk runs as the browser's tests bring them about."""

import sqlite3
from datetime import UTC, datetime, timedelta

import requests
from playwright.sync_api import Page

from tests.browser.base import BrowserTestCase

RUNS, CHUNKS = "associations_bulkrun", "associations_bulkchunk"
LEASE = timedelta(seconds=60)  # not so long that a worker would take it for a clock set back
POLLED = "**/progress/*"


def uploaded_rows(good: int, *, bad: int = 0, missing: int = 0, first: int = 1_000_001) -> bytes:
    """A file of so many rows that can be linked, that cannot be read, and of no known contact."""
    lines = ["from type,from id,to type,to id,reason,Owner"]
    lines += [f"Contact,{first + n},Company,{2_000_001 + n},SUP-{n},Mina" for n in range(good)]
    lines += [f"Contact,1.0{n}E+15,Company,902,," for n in range(bad)]
    lines += [f"Contact,{7_000_001 + n},Company,902,," for n in range(missing)]
    return "\n".join(lines).encode()


def upload(page: Page, content: bytes) -> None:
    page.unroute(POLLED)
    page.goto("/bulk/")
    file = {"name": "customers.csv", "mimeType": "text/csv", "buffer": content}
    page.set_input_files("#id_file", file)
    page.click("text=Upload and check")
    page.wait_for_url("**/bulk/*/")


def archive(case: BrowserTestCase, object_type: str, object_id: str) -> None:
    """Delete a record in HubSpot."""
    change = {"type": object_type, "id": object_id, "archived": True}
    answer = requests.post(f"{case.demo.hubspot}/_sandbox/records", json=[change], timeout=30)
    answer.raise_for_status()


def set_state(case: BrowserTestCase, state: str, **fields: object) -> None:
    """Bring the newest run into a state, in which no worker touches it."""
    until = f"{datetime.now(UTC) + LEASE:%Y-%m-%d %H:%M:%S}"
    values = {"state": state, "owner": "tests", "lease_until": until} | fields
    columns = ", ".join(f"{name} = ?" for name in values)
    with sqlite3.connect(case.demo.folder / "hubadmin.sqlite3", timeout=20) as base:
        newest = f"(SELECT MAX(id) FROM {RUNS})"
        base.execute(f"UPDATE {RUNS} SET {columns} WHERE id = {newest}", [*values.values()])
        base.execute(
            f"UPDATE {CHUNKS} SET is_done = 0, owner = 'tests', lease_until = ?"
            f" WHERE run_id = {newest}",
            [until],
        )


def freeze(case: BrowserTestCase, page: Page, state: str, **fields: object) -> None:
    """Show the newest run in a state in which it stays; its page does not ask how it goes on."""
    set_state(case, state, **fields)
    page.route(POLLED, lambda route: route.abort())
    page.goto("/bulk/")
    page.locator("a.row-link").first.click()
    page.wait_for_url("**/bulk/*/")
