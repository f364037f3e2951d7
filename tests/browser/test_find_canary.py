"""What people search for stays between them and HubSpot: an address and names that stand out.

A real browser at the real server, with all that it logs. They are searched for, chosen, linked,
and put in a link; then they are looked for wherever something is kept or handed on.
"""

import sqlite3
import threading
import unittest
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any
from urllib.parse import quote

import psycopg
from django.conf import settings
from django.db import connection
from django.test import tag
from playwright.sync_api import BrowserContext, Page, expect, sync_playwright

from hubadmin.demo.sandbox import Sandbox
from tests.associations.audit.integrity.processes import database_url
from tests.browser.base import FLAGS
from tests.identity.server import Server
from tests.load.people import BY_HEADER, headers_of
from tests.support import chromium_path, needed, warm_up

EMAIL, PERSON = "canary.7f3a91d0@zaunkoenig.example", "Kanaria Zaunkoenig7f3a"
COMPANY, DOMAIN = "Finkenhof 5e24b68", "finkenhof-5e24b68.example"
UNKNOWN = "stieglitz.c5e24b@nobody.example"  # that nobody has
REASON = "asked by amsel.91d0f3@example.com"  # the person's own words, which the entry keeps
CANARIES = ("7f3a91d0", "zaunkoenig", "finkenhof", "5e24b68", "stieglitz", "c5e24b")
OF_THE_ENTRY = {
    *("table associations_associationrequest", "table associations_request_text"),
    "log",  # the line for whoever collects the log
}
# What the records of entries were called is kept, until it is erased.
NAMES = {"table associations_recordnames", "table associations_names_text"}
ORIGIN = "http://hubadmin.localhost"  # where the browser finds the server
EVERYTHING = """
from django.contrib.sessions.models import Session
from django.db import connection
with connection.cursor() as cursor:
    for table in connection.introspection.table_names(cursor):
        cursor.execute(f"SELECT * FROM {connection.ops.quote_name(table)}")
        print("table", table, cursor.fetchall())
print("table sessions, decoded", [each.get_decoded() for each in Session.objects.all()])
"""


def traces_in(places: Mapping[str, str], *words: str) -> list[str]:
    """The places where one of the words is, as it is or as an address would have it."""
    wanted = [each.lower() for word in words for each in (word, quote(word, safe=""))]
    return [name for name, text in places.items() if any(each in text.lower() for each in wanted)]


class Elsewhere(ThreadingHTTPServer):
    """Somebody else's site, which notes who was sent there from where."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Visit)
        self.visits: list[str] = []

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}/"


class _Visit(BaseHTTPRequestHandler):
    server: Elsewhere

    def do_GET(self) -> None:
        self.server.visits.append(f"{self.path} {self.headers}")
        self.send_response(200)
        self.end_headers()
        self.wfile.write(b"<title>Elsewhere</title>")

    def log_message(self, *_: Any) -> None:
        """Stay silent."""


@contextmanager
def elsewhere() -> Iterator[Elsewhere]:
    with Elsewhere() as server:
        threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
        yield server
        server.shutdown()


@contextmanager
def database() -> Iterator[dict[str, str]]:
    """A database of the server's own where the tests are on PostgreSQL, or else its usual file."""
    if connection.vendor != "postgresql":
        yield {}
        return
    name = f"{settings.DATABASES['default']['NAME']}_find_canary"
    with psycopg.connect(database_url(NAME="postgres"), autocommit=True) as usual:
        usual.execute(f"DROP DATABASE IF EXISTS {name} WITH (FORCE)")
        usual.execute(f"CREATE DATABASE {name}")
        try:
            yield {"DATABASE_URL": database_url(NAME=name)}
        finally:
            usual.execute(f"DROP DATABASE {name} WITH (FORCE)")


@tag("own_database")
@needed(bool(chromium_path(whole=True)), "Chromium")
class FindCanaryTests(unittest.TestCase):
    def setUp(self) -> None:
        self.sandbox = self.enterContext(Sandbox())
        warm_up(self.sandbox.url)
        names = dict(zip(("firstname", "lastname"), PERSON.split(), strict=True))
        self.contact = self.sandbox.create("contacts", names | {"email": EMAIL})
        self.company = self.sandbox.create("companies", {"name": COMPANY, "domain": DOMAIN})
        self.elsewhere = self.enterContext(elsewhere())
        self.server = self.enterContext(
            Server(
                self.sandbox.url,
                **BY_HEADER,
                **self.enterContext(database()),
                LOG_LEVEL="DEBUG",
                GUNICORN_CMD_ARGS="--access-logfile -",
                ALLOWED_HOSTS="localhost,127.0.0.1,hubadmin.localhost",
                CSRF_TRUSTED_ORIGINS=ORIGIN,
                HUBSPOT_UI_URL=self.sandbox.url,
                HUBSPOT_PORTAL_ID="4242",
            )
        )
        self.profile = Path(self.enterContext(TemporaryDirectory()))
        self.playwright = self.enterContext(sync_playwright())

    def browser(self, **options: Any) -> BrowserContext:
        """One with a profile on disk, as people have it."""
        rule = f"MAP hubadmin.localhost:80 127.0.0.1:{self.server.port}"
        context = self.playwright.chromium.launch_persistent_context(
            str(self.profile),
            executable_path=chromium_path(whole=True),
            args=[*FLAGS, f"--host-resolver-rules={rule}"],
            base_url=ORIGIN,
            **options,
        )
        told = {k: v for k, v in headers_of("mina").items() if k != "Host"}
        # To our server alone: elsewhere they would be nobody's.
        context.route(
            f"{ORIGIN}/**",
            lambda route: route.continue_(
                headers=route.request.headers | {k.lower(): v for k, v in told.items()}
            ),
        )
        return context

    def test_it_is_kept_nowhere_and_told_nobody(self) -> None:
        context = self.browser()
        page = context.pages[0]
        self.link_by_words(page)
        self.open_links(page)
        self.search_in_vain(page)
        self.without_script(page)
        self.leave(page)
        places = self.kept_by_browser(context, page) | self.kept_by_server()
        context.close()
        places |= self.kept_in_profile()
        self.assertGreaterEqual(self.asked_of_hubspot(), 4)
        found = [name for name in traces_in(places, *CANARIES) if name not in NAMES]
        self.assertEqual(found, [], [places[name][:5_000] for name in found])
        own_words = traces_in(places, "amsel.91d0f3")
        self.assertIn("table associations_associationrequest", own_words)
        self.assertLessEqual(set(own_words), OF_THE_ENTRY)
        self.assertTrue(self.elsewhere.visits)

    # --- what is done -----------------------------------------------------------------------------

    def link_by_words(self, page: Page) -> None:
        page.goto("/")
        page.keyboard.type(EMAIL)
        page.keyboard.press("Tab")
        expect(page.locator("#from-card")).to_contain_text(PERSON)
        page.keyboard.type(COMPANY)
        page.locator("#to-found [role=option]", has_text=COMPANY).click()
        expect(page.locator("#to-card")).to_contain_text(COMPANY)
        page.fill("#id_reason", REASON)
        page.locator(".link-form .primary").click()
        expect(page.locator(".strip")).to_contain_text(PERSON)

    def open_links(self, page: Page) -> None:
        """Words in an address are taken out of it, whoever asks; and lead to HubSpot without it."""
        page.goto(f"/?from={quote(EMAIL)}&to={quote(COMPANY)}&reason=")
        expect(page.locator("#from-card")).to_contain_text(PERSON)
        self.assertNotIn("zaunkoenig", page.url)
        with page.context.expect_page() as opened:
            page.locator("#from-card a").click()
        opened.value.wait_for_load_state()
        opened.value.close()
        visits = [each for each in self.sandbox.requests if f"/0-1/{self.contact}" in each["path"]]
        shown = [each for each in visits if each["path"].startswith("/contacts/")]
        self.assertTrue(shown)
        self.assertFalse([each for each in shown if "Referer" in each["headers"]])

    def search_in_vain(self, page: Page) -> None:
        page.goto("/?new")
        for text in (UNKNOWN, f"{UNKNOWN.split('@')[0]} & Sons", DOMAIN):
            page.fill("#id_from_object_id", text)
            expect(page.locator("#from-said")).not_to_be_empty()
        page.fill("#id_from_object_id", "")

    def without_script(self, page: Page) -> None:
        """The form as a browser without script sends it, with a box that is no reference."""
        page.goto("/?new")
        page.evaluate(
            """([from, to]) => {
                const form = document.querySelector('.link-form');
                form.elements.from_object_id.value = from;
                form.elements.to_object_id.value = to;
                HTMLFormElement.prototype.submit.call(form);
            }""",
            [EMAIL, COMPANY],
        )
        expect(page.locator("[name=to_choice]").first).to_be_visible()

    def leave(self, page: Page) -> None:
        """To somebody else's site, from the page that the words had been put in."""
        page.goto(f"/?from={quote(EMAIL)}")
        page.evaluate("address => location.assign(address)", self.elsewhere.address)
        page.wait_for_url(f"{self.elsewhere.address}**")
        page.goto("/?new")

    def asked_of_hubspot(self) -> int:
        return sum(
            each["path"].endswith(("/search", "/batch/read")) for each in self.sandbox.requests
        )

    # --- where it is looked for -------------------------------------------------------------------

    def kept_by_server(self) -> dict[str, str]:
        lines = self.server.manage("shell", "-c", EVERYTHING).splitlines()
        tables = [line for line in lines if line.startswith("table ")]
        self.assertGreater(len(tables), 10)
        paths = " ".join(each["path"] for each in self.sandbox.requests)
        return {"log": self.server.output(), "addresses at HubSpot": paths} | {
            " ".join(line.split(" [", 1)[0].split()): line for line in tables
        }

    def kept_by_browser(self, context: BrowserContext, page: Page) -> dict[str, str]:
        entries = context.new_cdp_session(page).send("Page.getNavigationHistory")["entries"]
        self.assertGreater(len(entries), 3)
        shown = [(each["url"], each["title"]) for each in entries]
        stored = page.evaluate("JSON.stringify([{...localStorage}, {...sessionStorage}])")
        return {
            "entries of the history": str(shown),
            "cookies": str(context.cookies()),
            "storage": stored,
            "told elsewhere": str(self.elsewhere.visits),
        }

    def kept_in_profile(self) -> dict[str, str]:
        """What the browser shows as its history, but for HubSpot's pages, whose title is a name.

        Whoever opens a link with words in it has told their browser, and nobody can take that
        back: it notes for itself that it came from there, but shows only where it was sent on to.
        """
        with closing(sqlite3.connect(self.profile / "Default" / "History")) as history:
            visits = history.execute(
                "SELECT urls.url, urls.title FROM visits JOIN urls ON urls.id = visits.url"
                " WHERE visits.transition & 0x20000000 AND urls.url NOT LIKE ?",  # ends of chains
                [f"{self.sandbox.url}/%"],
            ).fetchall()
        self.assertTrue(visits)
        return {"history on disk": str(visits)}


class SearchTests(unittest.TestCase):
    """The search would find it, wherever it were."""

    def test_in_any_spelling(self) -> None:
        for text in (EMAIL, EMAIL.upper(), f"/?from={quote(EMAIL, safe='')}", f"x{EMAIL}x"):
            self.assertEqual(traces_in({"here": text, "there": "/"}, EMAIL), ["here"])
