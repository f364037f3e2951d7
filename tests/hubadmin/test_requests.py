"""What happens around every request: its id, its log line, its doors and its error pages."""

import json
import logging

from django.test import SimpleTestCase, TestCase, override_settings
from django.urls import URLPattern, URLResolver, get_resolver, path

from hubadmin.demo import urls as demo_urls
from hubadmin.logging import JSONFormatter
from hubadmin.urls import handler400, handler403, handler404, handler500  # noqa: F401
from hubadmin.urls import urlpatterns as hubadmin_urls
from tests.support import SandboxMixin, SignedInClient, person

OPEN = {
    "sign_in",
    "start_sign_in",
    "sign_in_callback",
    "no_access",
    "sign_out",
    "back_channel_logout",
    "language",
    "healthz",
    "readyz",
    "metrics",
    "security_txt",
}


SAMPLES = {
    "entry_id:pk": "1",
    "entry_ids:key": "1-2",
    "file_format:file_format": "csv",
    "str:object_type": "contacts",
    "str:object_id": "501",
}


def broken(request: object) -> None:
    raise RuntimeError("on purpose")


urlpatterns = [*hubadmin_urls, path("broken", broken)]


def routes(patterns: list) -> list[URLPattern]:
    found = []
    for pattern in patterns:
        is_group = isinstance(pattern, URLResolver)
        found += routes(pattern.url_patterns) if is_group else [pattern]
    return found


def address_of(route: URLPattern) -> str:
    """An address of the route; what it takes is something that could be there."""
    address = str(route.pattern)
    for parameter, value in SAMPLES.items():
        address = address.replace(f"<{parameter}>", value)
    return f"/{address}"


class DoorTests(TestCase):
    def test_every_page_is_closed_but_the_open_ones(self) -> None:
        all_routes = routes(get_resolver().url_patterns)
        self.assertGreaterEqual({route.name for route in all_routes}, OPEN)
        for route in all_routes:
            for method in ("get", "post"):
                with self.subTest(route=route.name, method=method):
                    answer = getattr(SignedInClient(), method)(address_of(route))
                    if route.name in OPEN:
                        self.assertNotIn("/sign-in?", answer.headers.get("Location", ""))
                    else:
                        self.assertEqual(answer.status_code, 302)
                        self.assertTrue(answer["Location"].startswith("/sign-in?next="))

    @override_settings(SSO_MODE="")
    def test_signing_in_is_not_possible_until_it_is_configured(self) -> None:
        self.assertEqual(SignedInClient(person()).get("/").status_code, 302)
        answer = SignedInClient().get("/sign-in")
        self.assertContains(answer, "not set up yet", status_code=503)

    def test_the_demo_sign_in_is_in_the_demo_only(self) -> None:
        self.assertEqual(SignedInClient().post("/demo/sign-in").status_code, 404)
        names = {route.name for route in routes(get_resolver().url_patterns)}
        self.assertNotIn("demo_sign_in", names)
        self.assertIn("demo_sign_in", {route.name for route in routes(demo_urls.urlpatterns)})

    @override_settings(ROOT_URLCONF="hubadmin.demo.urls")
    def test_even_with_its_address_the_demo_sign_in_needs_the_demo_settings(self) -> None:
        self.assertEqual(SignedInClient().get("/demo/sign-in").status_code, 403)
        with self.settings(DEMO=True):
            self.assertEqual(SignedInClient().get("/demo/sign-in").status_code, 200)
            away = SignedInClient().get("/demo/sign-in", REMOTE_ADDR="192.0.2.1")
            self.assertEqual(away.status_code, 403)

    @override_settings(ROOT_URLCONF="hubadmin.demo.urls", DEMO=True)
    def test_the_demo_sign_in_leads_nowhere_else(self) -> None:
        for evil in ("//evil.test", "https://evil.test/", "/\\evil.test", "javascript:alert(1)"):
            answer = SignedInClient().post("/demo/sign-in", {"person": "admin", "next": evil})
            self.assertEqual(answer["Location"], "/")
        answer = SignedInClient().post("/demo/sign-in", {"person": "root"})
        self.assertEqual(answer.status_code, 400)

    def test_nobody_without_a_role_gets_in(self) -> None:
        client = SignedInClient(person("visitor"))
        for route in routes(get_resolver().url_patterns):
            if route.name not in OPEN:
                self.assertEqual(client.get(address_of(route)).status_code, 403, route.name)

    def test_a_deactivated_person_is_out_at_once(self) -> None:
        user = person()
        client = SignedInClient(user)
        self.assertEqual(client.get("/").status_code, 200)
        user.is_active = False
        user.save()
        self.assertEqual(client.get("/").status_code, 302)

    def test_signing_out(self) -> None:
        client = SignedInClient(person())
        self.assertEqual(client.get("/sign-out").status_code, 405)
        self.assertContains(client.post("/sign-out"), "You are signed out")
        self.assertEqual(client.get("/").status_code, 302)


class RequestIdTests(SimpleTestCase):
    def test_the_log_line_of_a_request(self) -> None:
        with self.assertLogs("hubadmin.request", "INFO") as logs:
            logging.getLogger("hubadmin.request").handlers[0].setFormatter(JSONFormatter())
            answer = self.client.get("/nowhere?secret=1")
        line = json.loads(logs.output[0])
        told = (line["event"], line["request_id"])
        self.assertEqual(told, ("request", answer["X-Request-ID"]))
        self.assertEqual((line["method"], line["path"], line["status"]), ("GET", "/nowhere", 301))
        self.assertEqual(line["client_ip"], "127.0.0.1")
        self.assertNotIn("secret", logs.output[0])

    def test_a_probe_that_finds_all_well_is_for_debugging(self) -> None:
        with self.assertLogs("hubadmin.request", "DEBUG") as logs:
            self.client.get("/healthz")
            self.client.get("/nowhere")
        self.assertEqual([each.levelname for each in logs.records], ["DEBUG", "INFO"])


class ErrorPageTests(SandboxMixin, TestCase):
    def test_not_found(self) -> None:
        answer = SignedInClient(person()).get("/nowhere")
        self.assertContains(answer, "There is nothing here", status_code=404)

    def test_a_foreign_host_is_a_bad_request(self) -> None:
        answer = SignedInClient().get("/", headers={"host": "evil.test"})
        self.assertContains(answer, "could not be understood", status_code=400)

    def test_forbidden(self) -> None:
        answer = SignedInClient(person()).get("/audit/")
        self.assertContains(answer, "not allowed", status_code=403)

    def test_too_many_fields_or_too_much_is_told_so(self) -> None:
        client = SignedInClient(person())
        for fields in ({f"f{n}": "" for n in range(1001)}, {"reason": "x" * 3_000_000}):
            answer = client.post("/", fields)
            self.assertContains(answer, "Too much was sent", status_code=413)

    @override_settings(ROOT_URLCONF="tests.hubadmin.test_requests")
    def test_our_own_failure_has_a_page_with_the_request_id(self) -> None:
        client = SignedInClient(person(), raise_request_exception=False)
        answer = client.get("/broken", headers={"X-Request-ID": "abc-7"})
        self.assertContains(answer, f"<code>{answer['X-Request-ID']}</code>", status_code=500)
        self.assertNotContains(answer, "abc-7", status_code=500)
        self.assertNotContains(answer, "on purpose", status_code=500)
        self.assertEqual(answer["X-Frame-Options"], "DENY")
