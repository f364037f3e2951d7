"""Who may do what: every role on every route, and nobody by fields that are not on the form."""

from collections.abc import Iterator
from typing import Any

from django.test import TestCase, tag
from django.urls import get_resolver, reverse

from associations.linking.forms import AssociationForm
from associations.models import AssociationRequest
from hubadmin.models import User
from tests.associations.linking.base import entry_of, run_of
from tests.hubadmin.test_requests import address_of, routes
from tests.support import LINK, SandboxMixin, SignedInClient, person

ROLES = ("signed out", "no role", "support", "admin", "deactivated admin")
OPEN_TO_ALL = (200, 200, 200, 200, 200)
WRONG_METHOD = (405, 405, 405, 405, 405)
CLOSED = (302, 403, 405, 405, 302)  # to a method that it does not take
LED_BACK = (302, 403, 302, 302, 302)
FOR_ADMINS = ((302, 403, 403, 200, 302), CLOSED)


def of_a_run(name: str, *, own: int, foreign: int, posted: int = 0) -> dict[str, tuple]:
    """What a route of a bulk run answers to its own person, to an admin, and where there is none.

    `posted` is what an admin gets by a POST for another's run; 0 for a route that takes none.
    """
    return {
        f"{name}, own": (
            (302, 403, own, own, 302),
            (302, 403, 302, 302, 302) if posted else CLOSED,
        ),
        f"{name}, another's": (
            (302, 403, 404, foreign, 302),
            (302, 403, 404, posted, 302) if posted else CLOSED,
        ),
        f"{name}, nobody's": (
            (302, 403, 404, 404, 302),
            (302, 403, 404, 404, 302) if posted else CLOSED,
        ),
    }


# The answer to a GET and to an empty POST, for each of the roles.
EXPECTED = {
    "link": ((302, 403, 200, 200, 302), (302, 403, 422, 422, 302)),
    "my_requests": ((302, 403, 200, 200, 302), (302, 403, 302, 302, 302)),
    "request, own": ((302, 403, 200, 200, 302), CLOSED),
    "request, another's": ((302, 403, 404, 200, 302), CLOSED),
    "request, nobody's": ((302, 403, 404, 404, 302), CLOSED),
    # Not asked by a script of ours, they are the form.
    "link_find": (CLOSED, (302, 403, 422, 422, 302)),
    "link_preview": (CLOSED, (302, 403, 422, 422, 302)),
    "link_latest": ((302, 403, 200, 200, 302), CLOSED),
    "bookmarklet": ((302, 403, 200, 200, 302), CLOSED),
    "together, own": ((302, 403, 200, 200, 302), CLOSED),
    "together, another's": ((302, 403, 404, 200, 302), CLOSED),
    "together, nobody's": ((302, 403, 404, 404, 302), CLOSED),
    "request_check, own": (LED_BACK, LED_BACK),
    "request_check, another's": ((302, 403, 404, 302, 302), (302, 403, 404, 302, 302)),
    "request_check, nobody's": ((302, 403, 404, 404, 302), (302, 403, 404, 404, 302)),
    # Nobody knows whether it was linked before; that is said.
    "request_undo, own": ((302, 403, 200, 200, 302), (302, 403, 409, 409, 302)),
    "request_undo, another's": ((302, 403, 404, 200, 302), (302, 403, 404, 409, 302)),
    "request_undo, nobody's": ((302, 403, 404, 404, 302), (302, 403, 404, 404, 302)),
    "request_records, own": ((302, 403, 200, 200, 302), CLOSED),
    "request_records, another's": ((302, 403, 404, 200, 302), CLOSED),
    "request_records, nobody's": ((302, 403, 404, 404, 302), CLOSED),
    "request_details, own": ((302, 403, 403, 302, 302), (302, 403, 403, 302, 302)),
    "request_details, another's": ((302, 403, 403, 302, 302), (302, 403, 403, 302, 302)),
    "request_details, nobody's": ((302, 403, 403, 404, 302), (302, 403, 403, 404, 302)),
    "request_bundle, own": FOR_ADMINS,
    "request_bundle, another's": FOR_ADMINS,
    "request_bundle, nobody's": ((302, 403, 403, 404, 302), CLOSED),
    "changed": ((302, 403, 200, 200, 302), CLOSED),
    "changed_alike, own": ((302, 403, 404, 404, 302), CLOSED),  # nothing was found of it
    "changed_alike, another's": ((302, 403, 404, 404, 302), CLOSED),
    "changed_alike, nobody's": ((302, 403, 404, 404, 302), CLOSED),
    "changed_again, own": ((302, 403, 404, 404, 302), (302, 403, 404, 404, 302)),
    "changed_again, another's": ((302, 403, 404, 404, 302), (302, 403, 404, 404, 302)),
    "changed_again, nobody's": ((302, 403, 404, 404, 302), (302, 403, 404, 404, 302)),
    "bulk_runs": ((302, 403, 200, 200, 302), (302, 403, 422, 422, 302)),
    "bulk_template": ((302, 403, 200, 200, 302), CLOSED),
    "bulk_template_workbook": ((302, 403, 200, 200, 302), CLOSED),
    **of_a_run("bulk_run", own=200, foreign=200),
    # Not asked by a script of ours, it leads to the run.
    **of_a_run("bulk_progress", own=302, foreign=302),
    **of_a_run("bulk_bad_rows", own=200, foreign=200),
    **of_a_run("bulk_results", own=200, foreign=200),
    # The runs here are done: nothing of this is possible any more.
    **{
        name: answers
        for action in ("pause", "go_on", "cancel", "undo")
        for name, answers in of_a_run(f"bulk_{action}", own=302, foreign=302, posted=302).items()
    },
    # For admins only.
    **{
        f"bulk_take_over, {whose}": ((302, 403, get, foreign, 302), (302, 403, post, posted, 302))
        for whose, get, post, foreign, posted in (
            ("own", 302, 403, 302, 302),
            ("another's", 404, 404, 302, 302),
            ("nobody's", 404, 404, 404, 404),
        )
    },
    # For admins only, and never about what is their own.
    **{
        f"{name}, {whose}": ((302, 403, get, foreign, 302), (302, 403, post, posted, 302))
        for name in ("bulk_approve", "bulk_refuse")
        for whose, get, post, foreign, posted in (
            ("own", 302, 403, 302, 403),
            ("another's", 404, 404, 302, 302),
            ("nobody's", 404, 404, 404, 404),
        )
    },
    # In nobody else's name.
    **{
        name: answers
        for action in ("start", "ask", "withdraw", "columns", "choose", "discard", "retry")
        for name, answers in of_a_run(f"bulk_{action}", own=302, foreign=302, posted=403).items()
    },
    "audit_log": FOR_ADMINS,
    "audit_figures": FOR_ADMINS,
    "record_log": FOR_ADMINS,
    "export": FOR_ADMINS,
    "exports": FOR_ADMINS,
    "security_events": FOR_ADMINS,
    "event_export": FOR_ADMINS,
    "integrity": FOR_ADMINS,
    "seals": FOR_ADMINS,
    "status": FOR_ADMINS,
    "status_times": FOR_ADMINS,
    "sign_in": ((200, 302, 302, 302, 200), WRONG_METHOD),
    # The tests' provider does not answer.
    "start_sign_in": ((503, 503, 503, 503, 503), WRONG_METHOD),
    "sign_in_callback": ((400, 302, 302, 302, 400), WRONG_METHOD),
    "no_access": ((403, 403, 302, 302, 403), WRONG_METHOD),
    "signed_in": ((302, 403, 200, 200, 302), CLOSED),
    "sign_out": (WRONG_METHOD, OPEN_TO_ALL),
    "back_channel_logout": (WRONG_METHOD, (400, 400, 400, 400, 400)),
    "language": (WRONG_METHOD, (302, 302, 302, 302, 302)),
    "healthz": (OPEN_TO_ALL, WRONG_METHOD),
    "readyz": (OPEN_TO_ALL, WRONG_METHOD),
    # Nobody has set its token.
    "metrics": ((404, 404, 404, 404, 404), WRONG_METHOD),
    "security_txt": ((404, 404, 404, 404, 404), WRONG_METHOD),  # the tests name no contact
}


class RoleTestCase(SandboxMixin, TestCase):
    def setUp(self) -> None:
        super().setUp()
        self.people = {
            "signed out": None,
            "no role": person("visitor"),
            "support": person(),
            "admin": person("admin"),
            "deactivated admin": person("former", "admin"),
        }
        self.foreign = entry_of(person("colleague", "support")).pk
        self.own = {
            role: entry_of(user).pk if user else self.foreign for role, user in self.people.items()
        }
        self.foreign_run = run_of(person("colleague", "support")).pk
        self.own_run = {
            role: run_of(user).pk if user else self.foreign_run
            for role, user in self.people.items()
        }

    def browser(self, role: str) -> SignedInClient:
        """Somebody of this role, signed in a moment ago; the deactivated one was then active."""
        user = self.people[role]
        if role != "deactivated admin":
            return SignedInClient(user)
        User.objects.filter(pk=user.pk).update(is_active=True)
        client = SignedInClient(user)
        User.objects.filter(pk=user.pk).update(is_active=False)
        return client

    def addresses(self, role: str) -> Iterator[tuple[str, str]]:
        """The URLconf's routes, with ids of each kind where they take one."""
        entries = {"own": self.own[role], "another's": self.foreign}
        runs = {"own": self.own_run[role], "another's": self.foreign_run}
        for route in routes(get_resolver().url_patterns):
            if "<entry_id" not in str(route.pattern):
                yield route.name, address_of(route)
                continue
            ids = runs if str(route.pattern).startswith("bulk/") else entries
            for whose, pk in (ids | {"nobody's": 10**17}).items():
                yield f"{route.name}, {whose}", reverse(route.name, args=[pk])


@tag("one_database", "long")
class TableTests(RoleTestCase):
    def test_each_role_on_each_route(self) -> None:
        for column, role in enumerate(ROLES):
            seen = set()
            for name, address in self.addresses(role):
                with self.subTest(name, role=role):
                    asked, posted = EXPECTED[name]
                    browser = self.browser(role)
                    answer = browser.get(address)
                    self.assertEqual(answer.status_code, asked[column])
                    answer.getvalue()  # a file that nobody reads is a download under way
                    self.assertEqual(browser.post(address).status_code, posted[column])
                    seen.add(name)
            self.assertEqual(seen, {*EXPECTED})

    def test_who_is_out_is_led_to_the_sign_in_and_nowhere_else(self) -> None:
        for role in ("signed out", "deactivated admin"):
            for name, address in self.addresses(role):
                if EXPECTED[name][0][0] == 302:
                    with self.subTest(name, role=role):
                        answer = self.browser(role).get(address)
                        self.assertEqual(answer["Location"], f"/sign-in?next={address}")

    def test_only_who_may_link_records_does(self) -> None:
        for role in ROLES:
            with self.subTest(role):
                self.sandbox.reset()
                self.browser(role).post("/", LINK)
                self.assertEqual(len(self.puts()), role in ("support", "admin"))
        made = AssociationRequest.objects.filter(request_id__gt="").values_list("user__name")
        self.assertEqual([*made], [("Support",), ("Admin",)])

    def test_pages_show_what_is_theirs_only(self) -> None:
        theirs = entry_of(self.people["admin"], reason="not for everybody")
        for address in ("/", "/requests/", f"/requests/?after={theirs.pk - 1}"):
            page = self.browser("support").get(address)
            self.assertNotContains(page, "not for everybody")
            self.assertNotContains(page, theirs.get_absolute_url())

    def test_no_method_breaks_any_route(self) -> None:
        for role in ROLES:
            for name, address in self.addresses(role):
                if name.endswith(("another's", "nobody's")):
                    continue  # the method is looked at first
                asked = EXPECTED[name][0][ROLES.index(role)]
                with self.subTest(name, role=role):
                    browser = self.browser(role)
                    self.assertEqual(browser.head(address).status_code, asked)
                    for method in ("OPTIONS", "PUT", "DELETE", "PATCH", "TRACE", "ODD"):
                        status = browser.generic(method, address).status_code
                        self.assertIn(status, (302, 403, 405))
                        if role in ("support", "admin"):
                            self.assertEqual(status, 405)


# A value for every field of the two tables that is not on the form; none is what it would be.
FORGED: dict[str, Any] = {
    "id": 4711,
    "user_name": "Mallory",
    "user_email": "mallory@example.com",
    "api_version": "2026-03",
    "outcome": "rejected",
    "cause": "canceled_by_hubspot",
    "http_status": 418,
    "status": "FORGED",
    "results": ["forged"],
    "num_errors": 99,
    "errors": ["forged"],
    "links": {"forged": "x"},
    "requested_at": "2001-01-01T00:00:00Z",
    "started_at": "2001-01-01T00:00:00Z",
    "completed_at": "2001-01-01T00:00:00Z",
    "error_category": "FORGED",
    "error_text": "forged",
    "correlation_id": "forged",
    "body": "forged",
    "created_at": "2001-01-01T00:00:00Z",
    "sent_at": "2001-01-01T00:00:00Z",
    "finished_at": "2001-01-01T00:00:00Z",
    "was_linked": True,
    "verified": False,
    "verified_at": "2001-01-01T00:00:00Z",
    "unverified_cause": "forbidden",
    "undoes": 4711,
    "undoes_id": 4711,
    "links_before": {"forged": "x"},
    "links_after": {"forged": "x"},
    "from_merged_into": "4711",
    "to_merged_into": "4712",
    "from_name_digest": "forged",
    "to_name_digest": "forged",
    "client_ip": "192.0.2.66",
    "user_agent": "Forged/1",
    "request_id": "forged",
    "client_request_id": "forged",
    "submit_key": "forged",
    "was_linked_at": "2001-01-01T00:00:00Z",
    "look_due": True,
    "row_number": 99,
    "run": 4711,
    "run_id": 4711,
    "batch": 4711,
    "batch_id": 4711,
    "last_login": "2001-01-01T00:00:00Z",
    "issuer": "https://evil.test",
    "subject": "mallory",
    "email": "mallory@example.com",
    "name": "Mallory",
    "role": "admin",
    "is_active": False,
}


class MassAssignmentTests(SandboxMixin, TestCase):
    def setUp(self) -> None:
        super().setUp()
        self.user, other = person(), person("admin")
        self.forged = FORGED | {"user": other.pk, "user_id": other.pk}
        self.client = SignedInClient(self.user)

    def stored(self, model: type, **which: Any) -> dict[str, Any]:
        return model.objects.filter(**which).values().get()

    def test_every_field_is_tried(self) -> None:
        fields = [*AssociationRequest._meta.concrete_fields, *User._meta.concrete_fields]
        names = {name for field in fields for name in (field.name, field.attname)}
        self.assertEqual({*self.forged}, names - {*AssociationForm.base_fields})

    def test_none_of_them_changes_the_entry_or_the_person(self) -> None:
        before = self.stored(User, pk=self.user.pk)
        self.client.get("/", self.forged | LINK)
        self.client.post("/", LINK | self.forged, query_params=self.forged)
        entry = self.stored(AssociationRequest)
        self.assertEqual((entry["user_id"], entry["outcome"]), (self.user.pk, "linked"))
        for name, value in entry.items():
            if name in self.forged:
                field = AssociationRequest._meta.get_field(name)
                with self.subTest(name):
                    self.assertNotEqual(value, field.to_python(self.forged[name]))
                    self.assertNotIn("forged", str(value).lower())
        self.assertEqual(self.stored(User, pk=self.user.pk), before)
        self.assertEqual(User.objects.count(), 2)

    def test_nor_when_signing_out_or_while_the_form_is_wrong(self) -> None:
        before = self.stored(User, pk=self.user.pk)
        self.client.post("/", self.forged)
        self.client.post("/sign-out", self.forged)
        self.assertFalse(AssociationRequest.objects.exists())
        self.assertEqual(self.stored(User, pk=self.user.pk), before)
