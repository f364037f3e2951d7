"""What pages weigh, cost and wait for: `python -m tests.benchmarks.pages`.

Bytes and first paint are a real Chromium's on a running demo, as on a slow line, medians of the
rounds. CPU is what rendering a page in this process takes at least: the log has entries of some
fifty days, so that lists have as many headings as they ever have. TEST_DATABASE_URL chooses the
database of that part.
"""

import argparse
import os
import re
import signal
import statistics
import subprocess
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
from django.test.runner import DiscoverRunner
from playwright.sync_api import Browser, BrowserContext, Page, sync_playwright

from associations.models import AssociationRequest
from hubadmin.models import Role, User
from tests import audit_log
from tests.browser.base import FLAGS
from tests.demo import MANAGE, Demo, Person
from tests.support import SignedInClient, chromium_path

ROUNDS, CALLS = 5, 20
ENTRIES = 3000  # of which the person who has sent most has more than a page
LATENCY_MS, MEGABIT = 150, 1_000_000 / 8
SLOW_LINE = {
    "offline": False,
    "latency": LATENCY_MS,
    "downloadThroughput": 1.6 * MEGABIT,
    "uploadThroughput": 0.75 * MEGABIT,
}
PAIR = {"from_object_type": "Contact", "from_object_id": "501"}
PAIR |= {"to_object_type": "Company", "to_object_id": "902"}
FIRST_PAINT = """() => performance.getEntriesByName("first-contentful-paint")[0]?.startTime"""


def told(what: str, value: float, unit: str, goal: float | None = None) -> None:
    """Print a line; one that misses its goal is marked with `!`."""
    missed = "!" if goal is not None and value > goal else " "
    print(
        f"{missed} {what}: {value:.1f} {unit}" + (f" (goal {goal:g})" if goal else ""), flush=True
    )


# --- CPU ------------------------------------------------------------------------------------------


def cpu_of_pages() -> None:
    """Milliseconds of CPU for a page, of a log in which lists have their 50 rows."""
    runner = DiscoverRunner(verbosity=0, interactive=False)
    databases = runner.setup_databases()
    try:
        audit_log.fill(ENTRIES)
        user = User.objects.get(subject=audit_log.subject(0))
        entry = AssociationRequest.objects.by_hand(user).filter(outcome="linked").latest("pk")
        goals = {"/": 4.4 * 1.5, "/requests/": 10, entry.get_absolute_url(): 2.0 * 2}
        _tell_cpu(_signed_in(user, Role.SUPPORT), goals)
        _tell_cpu(_signed_in(user, Role.ADMIN), {"/audit/": None})
    finally:
        runner.teardown_databases(databases)


def _signed_in(user: User, role: str) -> SignedInClient:
    user.role, user.is_active = role, True
    user.save()
    return SignedInClient(user)


def _tell_cpu(browser: SignedInClient, goals: dict[str, float | None]) -> None:
    for path, goal in goals.items():
        page = browser.get(path)
        assert page.status_code == 200, (path, page.status_code)
        rows = page.content.count(b'class="row-link"')
        least = min(_milliseconds(browser, path) for _ in range(CALLS))
        told(f"CPU of {path} with {rows} rows, at least", least, "ms", goal)


def _milliseconds(browser: SignedInClient, path: str) -> float:
    start = time.process_time()
    browser.get(path)
    return (time.process_time() - start) * 1000


# --- the wire -------------------------------------------------------------------------------------


class Wire:
    """What a page makes the browser fetch, as it comes: headers, and bodies as they are encoded."""

    def __init__(self, page: Page, *, slow: bool = False) -> None:
        self.sizes: dict[str, float] = {}
        self.cached: set[str] = set()
        session = page.context.new_cdp_session(page)
        session.send("Network.enable")
        session.on("Network.requestServedFromCache", lambda e: self.cached.add(e["requestId"]))
        session.on("Network.loadingFinished", self._finished)
        if slow:
            session.send("Network.emulateNetworkConditions", SLOW_LINE)

    def _finished(self, event: dict[str, Any]) -> None:
        self.sizes[event["requestId"]] = event["encodedDataLength"]

    def told(self) -> tuple[float, int]:
        """Return kilobytes and requests, and forget them."""
        came = [size for key, size in self.sizes.items() if size and key not in self.cached]
        self.sizes.clear()
        return sum(came) / 1000, len(came)


@contextmanager
def visitor(browser: Browser, demo: Demo, person: Person) -> Iterator[BrowserContext]:
    """Somebody signed in, whose browser has nothing of the site yet."""
    context = browser.new_context(base_url=demo.address)
    context.add_cookies(
        [
            {"name": each.name, "value": each.value or "", "url": demo.address}
            for each in person.session.cookies
        ]
    )
    try:
        yield context
    finally:
        context.close()


def wire_of_pages(demo: Demo, browser: Browser) -> None:
    support, admin = Person(demo, "support"), Person(demo, "admin")
    for each in (support, admin):
        for _ in range(3):
            each.post("/", **PAIR)
    for who, path in ((support, "/"), (support, "/requests/"), (admin, "/audit/")):
        cold, warm = _visits(browser, demo, who, path)
        goals = (40, 5, 1) if path == "/" else (None, None, None)
        told(f"{path} cold, {cold[1]} requests", cold[0], "kB", goals[0])
        told(f"{path} warm, {warm[1]} requests", warm[0], "kB", goals[1])
        paints = [_first_paint(browser, demo, who, path) for _ in range(ROUNDS)]
        goal = 1.0 if path == "/" else None
        told(f"{path} first paint, cold", statistics.median(paints) / 1000, "s", goal)


Visit = tuple[float, int]


def _visits(browser: Browser, demo: Demo, who: Person, path: str) -> tuple[Visit, Visit]:
    with visitor(browser, demo, who) as context:
        page = context.new_page()
        wire = Wire(page)
        visits = []
        for _ in range(2):
            page.goto(path, wait_until="networkidle")
            visits.append(wire.told())
        return visits[0], visits[1]


def _first_paint(browser: Browser, demo: Demo, who: Person, path: str) -> float:
    with visitor(browser, demo, who) as context:
        page = context.new_page()
        Wire(page, slow=True)
        page.goto(path, wait_until="networkidle")
        return page.evaluate(FIRST_PAINT)


# --- start and memory -----------------------------------------------------------------------------


def start_of_the_demo(folder: Path) -> None:
    """Seconds from `manage.py demo` to a page of the sign-in, with a database from before."""
    Demo(folder).stop(signal.SIGTERM)
    times = []
    for _ in range(ROUNDS):
        start = time.monotonic()
        with Demo(folder) as demo:
            requests.get(f"{demo.address}/demo/sign-in", timeout=30).raise_for_status()
            times.append(time.monotonic() - start)
    told("demo, started again, to its first page", statistics.median(times), "s", 2.0)


def memory_of(demo: Demo) -> None:
    """Megabytes of each process of the demo, and of one that seals its log."""
    environment = os.environ | {
        "DJANGO_SETTINGS_MODULE": "hubadmin.settings",
        "ENV_FILE": "",
        "DATABASE_URL": f"sqlite:///{demo.folder}/hubadmin.sqlite3",
        "AUDIT_SIGNING_KEY": (demo.folder / "audit_key").read_text(),
    }
    command = [sys.executable, MANAGE, "seal_audit_log", "--every", "60"]
    sealer = subprocess.Popen(command, env=environment, stderr=subprocess.DEVNULL)
    try:
        time.sleep(5)  # the worker's processes come up, too
        for pid in [*_below(demo.process.pid), sealer.pid]:
            _tell_memory(pid)
    finally:
        sealer.kill()
        sealer.wait()


def _tell_memory(pid: int) -> None:
    """RSS, and PSS: what is shared by several counts by its part."""
    command = Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode().strip()
    rolled = Path(f"/proc/{pid}/smaps_rollup").read_text()
    sizes = {name: re.search(rf"^{name}: +(\d+)", rolled, re.M)[1] for name in ("Rss", "Pss")}
    told = ", ".join(f"{name} {int(size) / 1024:.0f} MiB" for name, size in sizes.items())
    print(f"  …{command[-50:]}: {told}", flush=True)


def _below(pid: int) -> Iterator[int]:
    yield pid
    for task in Path(f"/proc/{pid}/task").iterdir():
        for child in (task / "children").read_text().split():
            yield from _below(int(child))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--only", choices=("cpu", "wire", "start"))
    only = parser.parse_args().only
    if only in (None, "cpu"):
        cpu_of_pages()
    with tempfile.TemporaryDirectory() as folder:
        if only in (None, "start"):
            start_of_the_demo(Path(folder) / "demo")
        if only in (None, "wire", "start"):
            with Demo(Path(folder) / "demo") as demo, sync_playwright() as playwright:
                chromium = playwright.chromium
                browser = chromium.launch(executable_path=chromium_path(), args=FLAGS)
                if only != "start":
                    wire_of_pages(demo, browser)
                browser.close()
                memory_of(demo)


if __name__ == "__main__":
    main()
