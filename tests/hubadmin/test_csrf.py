"""Other sites' forms, and hosts that are not ours: refused on every route, with nothing done."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from django.apps import apps
from django.contrib.sessions.models import Session
from django.http import HttpResponse
from django.test import Client, TestCase, override_settings, tag
from django.urls import URLPattern, get_resolver
from django.utils import timezone

from associations.bulk import approval
from associations.linking.views import DETAILS
from associations.models import AssociationCheck, BulkKey, BulkRun
from tests.associations.linking.base import entry_of, run_of
from tests.hubadmin.test_requests import address_of, routes
from tests.support import LINK, SandboxMixin, SignedInClient, person

# In which state a bulk run has to be for each of its routes to change something.
STATES = {"bulk_start": "ready", "bulk_discard": "ready", "bulk_go_on": "paused"}
STATES |= {
    "bulk_pause": "running",
    "bulk_cancel": "running",
    "bulk_retry": "done",
    "bulk_undo": "done",
}
STATES |= {"bulk_take_over": "paused", "bulk_columns": "ready", "bulk_choose": "ready"}
STATES |= dict.fromkeys(("bulk_ask", "bulk_withdraw", "bulk_approve", "bulk_refuse"), "ready")
OF_REQUESTS = ("bulk_withdraw", "bulk_approve", "bulk_refuse")
COLUMNS = {"column_1": "from_object_id:contacts", "column_2": "to_object_id:companies"}
# Taken from servers, which bring no cookie and show by a signature who they are.
FROM_SERVERS = {"back_channel_logout"}
CHOICES = ("language", DETAILS)  # cookies: what somebody has chosen for their browser
OURS, EVIL = "https://testserver", "https://evil.test"
FROM_ELSEWHERE: tuple[dict[str, str], ...] = (
    {},
    {"origin": EVIL},
    {"origin": "null"},
    {"origin": "http://testserver"},
    {"origin": f"{OURS}:444"},
    {"origin": "https://sub.testserver"},
    {"origin": EVIL, "referer": f"{OURS}/"},
    {"origin": EVIL, "x-forwarded-host": "evil.test"},
    {"referer": f"{EVIL}/"},
    {"referer": f"{EVIL}/?{OURS}/"},
    {"referer": "http://testserver/"},
    {"referer": f"{OURS}.evil.test/"},
    {"referer": f"{EVIL}/", "x-forwarded-host": "evil.test"},
)


def all_routes() -> list[URLPattern]:
    return routes(get_resolver().url_patterns)


def rows() -> dict[str, Any]:
    """Every row there is, but for sessions: what was typed may be kept there, unsent."""
    models = [model for model in apps.get_models() if model is not Session]
    return {model._meta.label: list(model.objects.values()) for model in models}


PARTS_OF_THE_FORM = {"/find/", "/preview/"}
# What is asked by a POST although it changes nothing, as it is personal; and what then is shown.
ASKED_BY_POST = dict.fromkeys(PARTS_OF_THE_FORM, "Ada Byron") | {"/requests/": "501"}


@tag("one_database")
class FormTestCase(SandboxMixin, TestCase):
    def setUp(self) -> None:
        super().setUp()
        self.user = person()
        entry_of(self.user, id=1)  # the one that the routes' addresses name
        self.sign_in()

    def sign_in(self) -> None:
        self.client = SignedInClient(self.user, enforce_csrf_checks=True)
        self.token = str(self.client.get("/").context["csrf_token"])

    def that_take_a_post(self) -> Iterator[URLPattern]:
        """The routes with more to say to a browser's POST than that it is the wrong method."""
        for route in all_routes():
            if route.name in FROM_SERVERS:
                continue
            answer = SignedInClient(self.user).options(address_of(route))
            if "POST" in answer.headers.get("Allow", "POST"):
                yield route

    def post(
        self, path: str, token: str | None, headers: dict[str, str], **more: object
    ) -> HttpResponse:
        fields = (
            LINK
            | {"reason": "SUP-1"}
            | {"language": "ja", "rows": "501,902", "way": "batch", "words": "501"}
        )
        fields |= COLUMNS | {"key_1": "902"} | more
        fields |= {} if token is None else {"csrfmiddlewaretoken": token}
        return self.client.post(path, fields, headers=headers)

    @contextmanager
    def nothing_done(self) -> Iterator[None]:
        """Whatever is refused in here has no effect, on nothing that there is."""
        before = rows()
        yield
        self.assertEqual((rows(), self.puts()), (before, []))
        self.assertEqual(self.client.get("/requests/").status_code, 200, "signed out by it")

    def assert_refused(self, path: str, token: str | None, headers: dict[str, str]) -> None:
        with self.assertLogs("hubadmin.web.views", "WARNING") as logs:
            answer = self.post(path, token, headers)
        self.assertIn("CSRF check failed", logs.output[0])
        # Either a page that says so, or the form once more: filled in and unsent. Another site's
        # form fills in nothing here.
        if answer.status_code != 403:
            page = "/" if path in PARTS_OF_THE_FORM else path
            self.assertEqual((answer.status_code, answer["Location"]), (302, page))
            self.assertNotIn("evil", "".join(headers.values()))
        self.assertNotIn("language", answer.cookies)


@tag("long")
class FormTests(FormTestCase):
    def test_the_routes_that_take_a_post_are_found(self) -> None:
        names = {route.name for route in self.that_take_a_post()}
        self.assertGreaterEqual(names, {"link", "sign_out", "language"})
        exempt = {each.name for each in all_routes() if hasattr(each.callback, "csrf_exempt")}
        self.assertEqual(exempt, FROM_SERVERS)
        for route in all_routes():
            if route.name not in names | FROM_SERVERS:
                answer = self.post(address_of(route), self.token, {"origin": OURS})
                self.assertEqual(answer.status_code, 405, route.name)

    def test_none_takes_one_without_our_token(self) -> None:
        other_browser = SignedInClient(person("admin"), enforce_csrf_checks=True)
        of_another = str(other_browser.get("/").context["csrf_token"])
        for route in self.that_take_a_post():
            with self.subTest(route.name), self.nothing_done():
                for token in (None, "", "x" * 64, of_another):
                    with self.subTest(token=token):
                        self.assert_refused(address_of(route), token, {"origin": OURS})

    def test_none_takes_one_from_elsewhere_even_with_the_token(self) -> None:
        for route in self.that_take_a_post():
            with self.subTest(route.name), self.nothing_done():
                for headers in FROM_ELSEWHERE:
                    with self.subTest(headers=headers):
                        self.assert_refused(address_of(route), self.token, headers)

    @override_settings(BULK_APPROVAL_ROWS=1)
    def test_each_takes_ours(self) -> None:
        """Else the refusals above would prove nothing."""
        self.user, left, author = person("admin"), person("visitor"), person("author", "support")
        owners = {"bulk_take_over": left, "bulk_approve": author, "bulk_refuse": author}
        for route in self.that_take_a_post():
            for headers in ({"origin": OURS}, {"referer": f"{OURS}/requests/"}):
                with self.subTest(route=route.name, headers=headers):
                    self.sandbox.reset()
                    self.sign_in()
                    whose = owners.get(route.name, self.user)
                    run = run_of(whose, state=STATES.get(route.name, "done"), rejected=1)
                    asked = self.asked(run) if route.name in OF_REQUESTS else ""
                    if route.name == "bulk_undo":
                        BulkRun.objects.filter(pk=run.pk).update(started_at=timezone.now())
                        entry_of(whose, run=run, row_number=1)
                    if route.name == "bulk_ask":
                        self.with_rows(run)
                    if route.name == "bulk_columns":
                        BulkRun.objects.filter(pk=run.pk).update(layout={"columns": [["", []]] * 2})
                        run.uploads.create(number=1, content=b"501,902")
                    address, before = address_of(route), self.runs()
                    if route.name == "bulk_choose":
                        known = {"object_type": "companies", "kind": "domain", "text": "a.example"}
                        BulkKey.objects.all().delete()
                        run.keys.create(
                            pk=1, **known, problem="choose", candidates=[["902", "A", ""]]
                        )
                        waiting = {"state": "invalid", "problem": "choose", "to_key_id": 1}
                        run.rows.create(number=1, line=1, **waiting)
                        BulkRun.objects.filter(pk=run.pk).update(rows_invalid=1, rows_to_choose=1)
                    if route.name == "request_undo":
                        self.sandbox.link(*LINK.values())
                        linked = entry_of(self.user, was_linked=False)
                        address = f"/requests/{linked.pk}/undo/"
                    if route.name == "changed_again":
                        address = f"/changed/{self.found()}/again/"
                    if route.name in STATES:
                        address = address.replace("/1/", f"/{run.pk}/")
                    with self.assertNoLogs("hubadmin.web.views", "WARNING"):
                        answer = self.post(address, self.token, headers, asked=asked)
                    self.assertIn(answer.status_code, (200, 302))
                    signed_out = self.client.get("/requests/").status_code == 302
                    is_checked = bool(AssociationCheck.objects.all())
                    is_changed = is_checked or self.runs() != before
                    if address in ASKED_BY_POST:
                        self.assertContains(answer, ASKED_BY_POST[address])
                        continue
                    self.assertTrue(
                        signed_out or is_changed or self.puts() or {*CHOICES} & {*answer.cookies}
                    )

    def runs(self) -> list[tuple[int, str, str]]:
        return list(BulkRun.objects.order_by("pk").values_list("pk", "state", "approval"))

    def found(self) -> int:
        """A link that is gone since; return the finding."""
        gone = {"finding": "gone", "checked_at": timezone.now(), "duration_ms": 1}
        entry = entry_of(self.user)
        return AssociationCheck.objects.create(entry=entry, is_linked=False, **gone).pk

    def with_rows(self, run: BulkRun) -> None:
        for number in (1, 2):
            run.rows.create(number=number, line=number, state="ready", **LINK)

    def asked(self, run: BulkRun) -> int:
        """Have it wait for approval; return the request."""
        self.with_rows(run)
        approval.ask(user=run.user, run=run, way="batch", skip_linked=False)
        return run.events.order_by("pk").values_list("pk", flat=True).last() or 0


@tag("long", "one_database")
class HostTests(TestCase):
    def test_a_foreign_host_is_refused_on_every_route(self) -> None:
        client = SignedInClient(person("admin"))
        for route in all_routes():
            for host in ("evil.test", "testserver.evil.test", "testserver@evil.test", "a b"):
                for ask in (client.get, client.post, Client().get):
                    with self.subTest(route=route.name, host=host, ask=ask):
                        answer = ask(address_of(route), headers={"host": host})
                        self.assertEqual(answer.status_code, 400)

    def test_a_forwarded_host_is_not_believed(self) -> None:
        forwarded = {"x-forwarded-host": "evil.test", "forwarded": "host=evil.test"}
        answer = Client().get("/", headers=forwarded)
        self.assertEqual(answer["Location"], "https://testserver/")
        client = SignedInClient(person("admin"))
        answer = client.get(f"/sign-in?next={EVIL}/", headers=forwarded)
        self.assertEqual(answer["Location"], "/")
        for route in all_routes():
            with self.subTest(route=route.name):
                answer = client.get(address_of(route), headers=forwarded)
                self.assertNotIn("evil.test", f"{answer.headers} {answer.getvalue()!r}")
