"""What browsers are told, with every kind of answer; and that no page asks for more."""

import re
from collections.abc import Iterator
from html.parser import HTMLParser
from http.cookies import Morsel
from pathlib import Path

from django.conf import settings
from django.http import HttpResponse
from django.test import Client, SimpleTestCase, TestCase, override_settings, tag
from django.urls import get_resolver
from django.utils import timezone

from tests.associations.linking.base import entry_of
from tests.hubadmin.test_requests import address_of, routes
from tests.support import LINK, SandboxMixin, SignedInClient, person

POLICY = {
    "default-src 'none'",
    "script-src 'self'",
    "style-src 'self'",
    "img-src 'self'",
    "connect-src 'self'",
    "form-action 'self'",
    "frame-ancestors 'none'",
    "base-uri 'none'",
}
HEADERS = {
    "X-Frame-Options": "DENY",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": (
        "camera=(), display-capture=(), fullscreen=(), geolocation=(), microphone=(), midi=(), "
        "payment=(), usb=()"
    ),
}
HSTS = "max-age=31536000; includeSubDomains; preload"


class _Inline(HTMLParser):
    """Collects what only a weaker policy would let run."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        names = dict(attributes)
        if tag == "style" or (tag == "script" and "src" not in names):
            self.found.append(f"<{tag}>")
        for name, value in attributes:
            is_code = name.startswith("on") or "javascript:" in (value or "").lower()
            if is_code or name == "style":
                self.found.append(name)


def inline_in(html: str) -> list[str]:
    """What a page has of inline scripts and styles; Django's own tags count as a space."""
    reader = _Inline()
    reader.feed(re.sub(r"{[%#].*?[%#]}", " ", html, flags=re.S))
    return reader.found


@tag("one_database")
class NoStoreTests(SandboxMixin, TestCase):
    """No browser keeps a page: after a sign-out, Back would show it."""

    def test_no_answer_is_kept(self) -> None:
        user = person("admin")
        entry_of(user, id=1)
        for route in routes(get_resolver().url_patterns):
            for client in (SignedInClient(), SignedInClient(user)):
                for method in (client.get, client.post):
                    with self.subTest(route=route.name, method=method.__name__):
                        told = method(address_of(route))["Cache-Control"]
                        self.assertIn("no-store", told)
                        self.assertIn("private", told)

    def test_nor_one_that_stands_in_for_a_page(self) -> None:
        client = SignedInClient(person(), raise_request_exception=False)
        many = "&".join(["x=1"] * 2000)
        for path, status in (("/nowhere", 404), ("/audit/", 403), (f"/?{many}", 413)):
            with self.subTest(path=path[:10]):
                answer = client.get(path)
                self.assertEqual(answer.status_code, status)
                self.assertIn("no-store", answer["Cache-Control"])
        part = client.post("/preview/", headers={"HX-Request": "true"})
        self.assertIn("no-store", part["Cache-Control"])

    def test_our_files_are(self) -> None:
        answer = SignedInClient().get("/static/associations/hubadmin.js")
        self.assertNotIn("no-store", answer["Cache-Control"])

    def test_a_sign_out_has_the_browser_forget_pages_and_nothing_else(self) -> None:
        client = SignedInClient(person())
        self.assertEqual(client.post("/sign-out")["Clear-Site-Data"], '"cache"')


def templates() -> list[Path]:
    folders = [Path(folder) for folder in settings.TEMPLATES[0]["DIRS"]]
    folders += [settings.BASE_DIR / app / "templates" for app in ("hubadmin", "associations")]
    return [path for folder in folders for path in folder.rglob("*") if path.is_file()]


@override_settings(ROOT_URLCONF="tests.hubadmin.test_requests")
@tag("one_database")
class AnswerTestCase(SandboxMixin, TestCase):
    def setUp(self) -> None:
        super().setUp()
        self.user = person()
        self.client = SignedInClient(self.user, raise_request_exception=False)
        self.stranger = SignedInClient()

    def answers(self) -> Iterator[tuple[str, int, HttpResponse]]:
        """Every kind of answer over https: its name, its status and itself."""
        client, stranger, entry = self.client, self.stranger, entry_of(self.user)
        open_entry = entry_of(self.user, outcome="sending", finished_at=None)
        csrf = SignedInClient(self.user, enforce_csrf_checks=True)
        yield "page", 200, client.get("/")
        yield "list", 200, client.get("/requests/")
        yield "entry", 200, client.get(entry.get_absolute_url())
        yield "entry under way", 200, client.get(open_entry.get_absolute_url())
        yield "head", 200, client.head("/")
        yield "sign-in page", 200, stranger.get("/sign-in")
        yield "to the sign-in", 302, stranger.get("/requests/")
        yield "to the sign-in, with a draft", 302, stranger.post("/", LINK)
        yield "no access", 403, stranger.get("/no-access")
        yield "fragment", 401, stranger.get("/", headers={"HX-Request": "true"})
        yield "link made", 302, client.post("/", LINK)
        yield "form refused", 422, client.post("/", {})
        with self.settings(SUBMITS_PER_PERSON_PER_MINUTE=1):
            yield "too quick", 429, client.post("/", LINK)
        with self.settings(SSO_RECHECK_SECONDS=0):
            yield "recheck due", 401, client.post("/", LINK)
        yield "foreign host", 400, client.get("/", headers={"host": "evil.test"})
        yield "forbidden", 403, client.get("/audit/")
        # Elsewhere's form: without that, the form would come back instead.
        yield "no CSRF token", 403, csrf.post("/", LINK, headers={"sec-fetch-site": "cross-site"})
        yield "nothing there", 404, client.get("/nowhere")
        yield "wrong method", 405, client.delete("/")
        yield "too large", 413, client.post("/", {"reason": "x" * 2**21})
        yield "our failure", 500, client.get("/broken")
        yield "provider down", 503, stranger.get("/sign-in/start")
        yield "signing in comes to nothing", 400, stranger.get("/sign-in/callback")
        yield "health", 200, stranger.get("/healthz")
        yield "readiness", 200, stranger.get("/readyz")
        for name in ("hubadmin.css", "hubadmin.js", "icon.svg"):
            yield name, 200, stranger.get(f"/static/associations/{name}")
        since = timezone.now().strftime("%a, %d %b %Y %H:%M:%S GMT")
        unchanged = {"if-modified-since": since}
        yield (
            "file unchanged",
            304,
            stranger.get("/static/associations/icon.svg", headers=unchanged),
        )
        yield "no such file", 404, client.get("/static/associations/none.css")
        yield "signed out", 200, client.post("/sign-out")


class HeaderTests(AnswerTestCase):
    def assert_told(self, answer: HttpResponse) -> None:
        told = {name: answer.headers.get(name) for name in HEADERS}
        self.assertEqual(told, HEADERS)
        policy = answer.headers.get("Content-Security-Policy", "")
        self.assertEqual({part.strip() for part in policy.split(";")}, POLICY)

    def test_every_kind_of_answer_has_them(self) -> None:
        for name, status, answer in self.answers():
            with self.subTest(name):
                self.assertEqual(answer.status_code, status)
                self.assert_told(answer)
                self.assertEqual(answer.headers.get("Strict-Transport-Security"), HSTS)

    def test_over_plain_http_too_which_leads_to_https(self) -> None:
        plain = Client()
        for path, status in (("/", 301), ("/nowhere", 301), ("/healthz", 200), ("/readyz", 200)):
            with self.subTest(path):
                answer = plain.get(path)
                self.assertEqual(answer.status_code, status)
                self.assertEqual(
                    answer.headers.get("Location"),
                    f"https://testserver{path}" if status == 301 else None,
                )
                self.assert_told(answer)

    def test_over_plain_http_to_a_foreign_host_too(self) -> None:
        self.assert_told(Client().get("/", headers={"host": "evil.test"}))

    def test_the_policy_lets_nothing_inline_or_foreign_in(self) -> None:
        policy = self.client.get("/")["Content-Security-Policy"]
        for hole in ("unsafe", "*", "data:", "blob:", "http", "nonce-", "strict-dynamic"):
            self.assertNotIn(hole, policy)
        self.assertNotIn("Content-Security-Policy-Report-Only", self.client.get("/").headers)


class CookieTests(AnswerTestCase):
    def assert_safe(self, cookie: Morsel) -> None:
        self.assertTrue(cookie.key.startswith("__Host-"), cookie.key)
        self.assertTrue(cookie["secure"])
        self.assertEqual((cookie["path"], cookie["domain"], cookie["samesite"]), ("/", "", "Lax"))
        # One that is being deleted has nothing left for a script to read.
        self.assertTrue(cookie["httponly"] or cookie["max-age"] == 0)

    def test_every_cookie_is_for_this_host_over_https_and_not_for_scripts(self) -> None:
        seen = set()
        for name, _, answer in self.answers():
            for cookie in answer.cookies.values():
                with self.subTest(name, cookie=cookie.key):
                    self.assert_safe(cookie)
                seen.add(cookie.key)
        self.assertEqual(seen, {"__Host-sessionid", "__Host-csrftoken", "__Host-sent"})


class InlineTests(AnswerTestCase):
    def test_no_template_has_scripts_or_styles_of_its_own(self) -> None:
        self.assertGreater(len(templates()), 20)
        for path in templates():
            with self.subTest(path.name):
                self.assertEqual(inline_in(path.read_text()), [])

    def test_nor_has_a_page_that_was_made_of_them(self) -> None:
        pages = 0
        for name, _, answer in self.answers():
            if answer.headers.get("Content-Type", "").startswith("text/html"):
                with self.subTest(name):
                    self.assertEqual(inline_in(answer.content.decode()), [])
                pages += 1
        self.assertGreater(pages, 15)


class SearchTests(SimpleTestCase):
    def test_inline_code_would_be_found(self) -> None:
        for html in (
            "<script>go()</script>",
            "<SCRIPT type=module>go()</SCRIPT>",
            "<style>p {}</style>",
            "<p style='color: red'>",
            '<p\n{% if x == "y" %}class="a"{% endif %} onclick="go()">',
            '<a href="JavaScript:go()">',
        ):
            with self.subTest(html):
                self.assertEqual(len(inline_in(html)), 1)
        self.assertEqual(
            inline_in('<script src="a.js" defer></script><p title="style=">on=</p>'), []
        )
