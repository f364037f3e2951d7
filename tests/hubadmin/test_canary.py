"""A token that stands out, looked for in everything that leaves the process or outlives a request.

HubSpot echoes it wherever it can, a view crashes with it in its hands; it must turn up nowhere.
"""

import json
import logging
from base64 import b64encode
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from django.conf import settings
from django.contrib.sessions.models import Session
from django.db import connection
from django.http import HttpRequest, HttpResponse
from django.test import TestCase, override_settings, tag
from django.urls import path, reverse

from associations.audit.integrity.sealing import seal_log
from associations.gateway import clients
from associations.linking import services
from associations.models import AssociationAttempt, AssociationRequest
from hubadmin.demo.sandbox import SANDBOX_TOKEN
from hubadmin.logging import JSONFormatter
from hubadmin.urls import handler400, handler403, handler404, handler500  # noqa: F401
from hubadmin.urls import urlpatterns as hubadmin_urls
from tests.associations.linking.base import entry_of
from tests.support import LINK, SandboxMixin, SignedInClient, missing_table, person

# Of no known form, so that nothing but comparing it with the setting can find it.
CANARY = "Canary.7f3a91d0/c5e24b68+kq=="
ESCAPED = "".join(f"\\u{ord(character):04x}" for character in CANARY)
RESULTS = [
    {"from": {"id": "501"}, "to": {"id": "902"}, "associationSpec": {"associationTypeId": 279}}
]
COMPLETE = {"status": "COMPLETE", "results": RESULTS, "startedAt": CANARY, "completedAt": CANARY}
ECHO = {
    "status": "error",
    "message": f"The token {CANARY} is not good",
    "correlationId": CANARY,
    "category": CANARY,
    "context": {"token": [CANARY], CANARY: ["x"]},
    "errors": [{"message": f"Bearer {CANARY}", "context": {"given": [CANARY]}}],
    "links": {"more": f"https://hubspot.test/{CANARY}"},
}
ECHOED = {
    "Location": f"https://hubspot.test/?{CANARY}",
    "X-HubSpot-Echo": CANARY,
    "X-HubSpot-Correlation-Id": CANARY,
    "Set-Cookie": f"token={CANARY}",
    "WWW-Authenticate": f"Bearer {CANARY}",
}
# What HubSpot answers, and what becomes of the request.
ANSWERS: dict[str, tuple[dict[str, Any], str]] = {
    "a success": ({"status": 200, "body": COMPLETE}, "linked"),
    "a success that proves nothing": ({"status": 200, "body": CANARY}, "unconfirmed"),
    "a success with errors": ({"status": 207, "body": COMPLETE | ECHO}, "unconfirmed"),
    "a redirect": ({"status": 302, "body": CANARY}, "rejected"),
    "a refusal": ({"status": 400, "body": ECHO}, "rejected"),
    "a refusal, escaped": ({"status": 400, "body": f'{{"message": "{ESCAPED}"}}'}, "rejected"),
    "a refusal in HTML": (
        {"status": 403, "body": f"<p>{CANARY}", "content_type": "text/html"},
        "rejected",
    ),
    "the token is not known": ({}, "rejected"),
    "the token is not known, echoed": ({"status": 401, "body": ECHO}, "rejected"),
    "a failure": ({"status": 500, "body": ECHO, "times": None}, "unreachable"),
    "a lost connection": ({"reset": "after", "times": None}, "unreachable"),
    "half an answer": ({"status": 200, "body": ECHO, "truncate": 60, "times": None}, "unreachable"),
}
# Where it is looked for, as support people and as admins; sealed and exported as well.
PAGES = (
    *("/", "/?new", "/requests/", "/nowhere"),
    *("/audit/", "/audit/?reason=SUP-1&status=404", "/audit/?status=x", "/audit/figures/"),
    *("/audit/export.csv", "/audit/export.jsonl", "/audit/export.csv?status=x", "/audit/exports/"),
    *("/audit/integrity/", "/audit/integrity/seals.jsonl", "/status/", "/status/times/"),
)


def crash(request: HttpRequest) -> HttpResponse:
    """A view that fails with the token in its hands, and in what it says of it."""
    token = settings.HUBSPOT_ACCESS_TOKEN
    client = clients.interactive()
    try:
        raise KeyError(f"Authorization: Bearer {token}")
    except KeyError as error:
        raise RuntimeError(f"{token} was refused by {client}") from error


def crash_unawares(request: HttpRequest) -> HttpResponse:
    """One that fails while the client that has the token is at hand."""
    client = clients.interactive()
    entry = services.create_association(user=request.user, **LINK)
    raise RuntimeError(f"{client} and {entry}")


urlpatterns = [*hubadmin_urls, path("crash", crash), path("crash-unawares", crash_unawares)]


class _Records(logging.Handler):
    def __init__(self) -> None:
        super().__init__(logging.DEBUG)
        self.setFormatter(JSONFormatter())
        self.lines: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.lines.append(self.format(record))


@contextmanager
def everything_logged() -> Iterator[list[str]]:
    """The lines of every logger, from DEBUG on, as the server would write them."""
    root, records = logging.getLogger(), _Records()
    before, raised = root.level, logging.getLogger("django.request")
    level = raised.level
    root.addHandler(records)
    root.setLevel(logging.DEBUG)
    raised.setLevel(logging.DEBUG)
    try:
        yield records.lines
    finally:
        root.removeHandler(records)
        root.setLevel(before)
        raised.setLevel(level)


def everything_stored() -> dict[str, str]:
    """Each table as a text, whoever made it; and the sessions as they are read."""
    found = {}
    with connection.cursor() as cursor:
        for table in connection.introspection.table_names(cursor):
            cursor.execute(f"SELECT * FROM {connection.ops.quote_name(table)}")
            found[table] = str(cursor.fetchall())
    found["sessions, decoded"] = str([each.get_decoded() for each in Session.objects.all()])
    return found


def shown(answer: HttpResponse) -> str:
    return f"{answer.headers} {answer.cookies} {answer.getvalue().decode(errors='replace')}"


def spellings() -> list[str]:
    """The canary as it is, and as JSON, a URL, HTML or basic authentication would have it."""
    encoded = b64encode(CANARY.encode()).decode()
    return [CANARY, ESCAPED, CANARY.replace("/", "\\/"), "Canary.7f3a91d0", "kq==", encoded]


def traces_in(places: dict[str, str]) -> list[str]:
    """The places where the canary is, in any spelling or in part."""
    return [
        name
        for name, text in places.items()
        if any(each.lower() in text.lower() for each in spellings())
    ]


@override_settings(ROOT_URLCONF="tests.hubadmin.test_canary")
class CanaryTestCase(SandboxMixin, TestCase):
    def setUp(self) -> None:
        self.enterContext(override_settings(HUBSPOT_ACCESS_TOKEN=CANARY))
        super().setUp()
        self.client = SignedInClient(person(), raise_request_exception=False)
        self.as_admin = SignedInClient(person("admin"), raise_request_exception=False)
        self.lines = self.enterContext(everything_logged())
        self.pages: dict[str, str] = {}

    def seen(self, name: str, answer: HttpResponse) -> HttpResponse:
        self.pages[f"{name}: {answer.status_code}"] = shown(answer)
        return answer

    def look_around(self) -> None:
        list(seal_log())
        for client in (self.client, self.as_admin):
            for address in PAGES:
                self.see(address, client)
        for entry in AssociationRequest.objects.all():
            address = entry.get_absolute_url()
            sides = (
                (entry.from_object_type, entry.from_object_id),
                (entry.to_object_type, entry.to_object_id),
            )
            records = [reverse("record_log", args=side) for side in sides]
            for client in (self.client, self.as_admin):
                for each in (address, f"{address}support-bundle.txt", *records):
                    self.see(each, client)

    def see(self, address: str, client: SignedInClient) -> None:
        self.seen(f"{address} {client.session.session_key}", client.get(address))

    def assert_nowhere(self) -> None:
        logged = {f"log: {line[:200]}": line for line in self.lines}
        self.assertTrue(self.pages and logged)
        self.assertEqual(traces_in(self.pages | logged | everything_stored()), [])


@tag("one_database")
class AnswerTests(CanaryTestCase):
    def test_whatever_hubspot_answers(self) -> None:
        for name, (fault, outcome) in ANSWERS.items():
            with self.subTest(name):
                self.sandbox.reset()
                if fault:
                    self.sandbox.fault(
                        **fault | {"headers": ECHOED} if "status" in fault else fault
                    )
                made = self.seen(name, self.client.post("/?submit", LINK | {"reason": name}))
                self.assertEqual(made.status_code, 302)
                entry = AssociationRequest.objects.get(reason=name)
                self.assertEqual(entry.outcome, outcome)
        unknown = AssociationRequest.objects.get(reason="the token is not known")
        self.assertEqual(unknown.http_status, 401, "the canary was not what was sent")
        self.look_around()
        self.assertIn("[redacted]", "".join(self.pages.values()), "it was not echoed")
        for name in ("export.csv", "export.jsonl", "support-bundle.txt"):
            echoed = [page for page, text in self.pages.items() if "[redacted]" in text]
            self.assertTrue([page for page in echoed if name in page], name)
        self.assert_nowhere()

    def test_a_header_that_is_cut_in_the_midst_of_it(self) -> None:
        header = "x" * (500 - len(CANARY) + 1) + CANARY
        self.sandbox.fault(status=400, body=ECHO, headers={"X-HubSpot-Echo": header})
        self.client.post("/?submit", LINK)
        self.look_around()
        self.assert_nowhere()

    def test_a_success_of_the_sandboxs_own(self) -> None:
        """It takes no token but its own, so this once that one is looked for."""
        with self.settings(HUBSPOT_ACCESS_TOKEN=SANDBOX_TOKEN):
            self.client.post("/?submit", LINK)
            self.look_around()
        self.assertEqual(AssociationRequest.objects.get().outcome, "linked")
        everything = [*self.pages.values(), *self.lines, *everything_stored().values()]
        self.assertNotIn(f"Bearer {SANDBOX_TOKEN}", "".join(everything))


class CrashTests(CanaryTestCase):
    def test_our_own_failure(self) -> None:
        for address in ("/crash", "/crash-unawares"):
            answer = self.seen(address, self.client.get(address))
            self.assertContains(answer, "Something went wrong here", status_code=500)
        self.look_around()
        told = [line for line in self.lines if "RuntimeError" in line and "KeyError" in line]
        self.assertTrue(told, "the traceback was not logged")
        self.assert_nowhere()

    def test_a_log_that_cannot_be_written(self) -> None:
        with missing_table(AssociationAttempt):
            self.client.post("/?submit", LINK)
        self.assertTrue([line for line in self.lines if "could not be logged" in line])
        self.look_around()
        self.assert_nowhere()


@override_settings(DEBUG=True)
class DebugTests(CanaryTestCase):
    """Django's own error pages, which show settings, headers and variables."""

    def test_a_crash(self) -> None:
        answer = self.seen("crash", self.client.get("/crash-unawares"))
        for word in ("RuntimeError", "HUBSPOT_ACCESS_TOKEN", "clients.interactive()"):
            self.assertContains(answer, word, status_code=500)
        self.assert_nowhere()

    def test_the_password_of_redis(self) -> None:
        address = f"redis://:{CANARY}@redis.example.com"
        with self.settings(WORKER_BROKER_URL=address, Q_CLUSTER={"redis": address}):
            answer = self.seen("crash", self.client.get("/crash-unawares"))
        self.assertContains(answer, "WORKER_BROKER_URL", status_code=500)
        self.assert_nowhere()

    def test_what_else_has_such_a_page(self) -> None:
        strict = SignedInClient(person(), enforce_csrf_checks=True)
        self.seen("404", self.client.get("/nowhere"))
        self.seen("host", self.client.get("/", headers={"host": "evil.test"}))
        self.seen("csrf", strict.post("/", LINK, headers={"sec-fetch-site": "cross-site"}))
        self.seen("too large", self.client.post("/", {"reason": "x" * 2**21}))
        self.assertEqual([name[-3:] for name in self.pages], ["404", "400", "403", "400"])
        self.assert_nowhere()


class SearchTests(CanaryTestCase):
    """The search would find it, wherever it were."""

    def test_in_any_table(self) -> None:
        self.assertEqual(traces_in(everything_stored()), [])
        entry = entry_of(person(), body=f"x{CANARY}x")
        self.assertEqual(traces_in(everything_stored()), ["associations_associationrequest"])
        entry.attempts.create(
            number=1, started_at=entry.created_at, duration_ms=1, headers={"x": CANARY}
        )
        self.assertIn("associations_associationattempt", traces_in(everything_stored()))

    def test_in_a_session(self) -> None:
        session = self.client.session
        session["draft"] = {"fields": {"reason": CANARY}}
        session.save()
        self.assertIn("sessions, decoded", traces_in(everything_stored()))

    def test_in_the_log(self) -> None:
        with override_settings(HUBSPOT_ACCESS_TOKEN="another"):
            logging.getLogger("any.at.all").debug("said %s", CANARY, extra={"more": CANARY})
        self.assertEqual(traces_in({"log": self.lines[-1]}), ["log"])

    def test_in_a_page_a_header_or_a_cookie(self) -> None:
        in_page, in_header, in_cookie = HttpResponse(CANARY), HttpResponse(), HttpResponse()
        in_header["X-Any"] = CANARY
        in_cookie.set_cookie("any", CANARY)
        for answer in (in_page, in_header, in_cookie):
            self.assertEqual(traces_in({"answer": shown(answer)}), ["answer"])

    def test_in_other_spellings(self) -> None:
        for text in (CANARY, ESCAPED, json.dumps({"a": CANARY}), f"Bearer {CANARY}", CANARY[4:]):
            self.assertEqual(traces_in({"text": text}), ["text"])
