"""What a page advises where HubSpot would not do something: no promise, and each role its own."""

from collections.abc import Iterator
from typing import Any
from unittest import mock

from django.conf import settings
from django.test import override_settings, tag
from django.utils import timezone, translation
from django.utils.translation import gettext

from associations.gateway import rate_limiter
from associations.hubspot.outcomes import VERDICTS, Cause
from associations.models import AssociationCheck
from tests.associations.linking.base import PageTestCase, entry_of, run_of
from tests.associations.linking.test_preview import HTMX
from tests.support import SignedInClient, read_only_database

FIELDS = {
    "from_object_type": "Contact",
    "from_object_id": "504",
    "to_object_type": "Company",
    "to_object_id": "904",
}
PROMISE = "You can try to link the records all the same."
CONTACT = "the desk <desk@example.com>"
TELL, LOOK = "the desk &lt;desk@example.com&gt;", 'href="/status/"'


def lacking(*scopes: str) -> dict[str, Any]:
    body = {"category": "MISSING_SCOPES", "errors": [{"context": {"requiredScopes": scopes}}]}
    return {"status": 403, "body": body}


# What is played, and whom it is for: nobody ("") if it may be tried all the same.
TRIED = {
    "down": {"status": 503},
    "an error": {"status": 500},
    "not read": {"status": 200, "body": "<p>"},
    "lost": {"reset": "before"},
    "busy": {"status": 429},
    "moving": {"status": 477},
    "refused": {"status": 409, "body": {"message": "no"}},
    "may not read": lacking("crm.objects.contacts.read", "crm.objects.companies.read"),
}
FOR_ADMINS = {
    "token": {"status": 401},
    "may not write": lacking("crm.objects.companies.write"),
    "may not read or write": lacking("crm.objects.deals.read", "crm.objects.deals.write"),
    "an old scope": lacking("tickets"),
    "a scope of no name": lacking(),
    "forbidden": {"status": 403},
    "the day": {"status": 429, "body": {"policyName": "DAILY"}},
    "sent elsewhere": {"status": 302},
}
FOR_WHO_TYPED = {
    "type": {"status": 400, "body": {"message": "Unable to infer object type from: car"}},
    "record": {"status": 404, "body": {"subCategory": "OBJECT_NOT_FOUND"}},
    "no default": {"status": 400, "body": {"message": "There is no default association type"}},
    "limit": {"status": 400, "body": {"category": "LIMIT_EXCEEDED"}},
}


@override_settings(SSO_CONTACT=CONTACT)
class AdviceTestCase(PageTestCase):
    def readers(self) -> Iterator[tuple[SignedInClient, bool, str]]:
        for language, _ in settings.LANGUAGES:
            for client, is_admin in ((self.client, False), (self.as_admin, True)):
                client.cookies["language"] = language
                with translation.override(language), self.subTest(language, is_admin=is_admin):
                    yield client, is_admin, gettext(PROMISE)

    def play(self, fault: dict[str, Any]) -> None:
        self.setUp()
        for method in ("GET", "POST"):
            self.sandbox.fault(method=method, **fault, times=None)


class PreviewTests(AdviceTestCase):
    def panel(self, client: SignedInClient, **fields: str) -> str:
        page = client.post("/preview/", FIELDS | fields, headers=HTMX)
        return " ".join(page.content.decode().split())

    def test_what_may_come_to_an_end_by_itself_may_be_tried(self) -> None:
        for name, fault in TRIED.items():
            self.play(fault)
            for client, is_admin, promise in self.readers():
                with self.subTest(name):
                    page = self.panel(client)
                    self.assertIn(promise, page)
                    self.assertEqual((TELL in page) and is_admin, False)
                    self.assertEqual((LOOK in page) and not is_admin, False)

    def test_what_an_admin_has_to_repair_is_no_promise(self) -> None:
        for name, fault in FOR_ADMINS.items():
            self.play(fault)
            for client, is_admin, promise in self.readers():
                with self.subTest(name):
                    page = self.panel(client)
                    self.assertNotIn("all the same", page)
                    self.assertNotIn(promise, page)
                    self.assertEqual((LOOK in page, TELL in page), (is_admin, not is_admin))
                    self.assertNotIn("Tell the admin", page)

    def test_what_is_wrong_with_the_pair_is_no_promise(self) -> None:
        for name, fault in FOR_WHO_TYPED.items():
            self.play(fault)
            for client, _, promise in self.readers():
                with self.subTest(name):
                    page = self.panel(client)
                    self.assertNotIn("all the same", page)
                    self.assertNotIn(promise, page)
                    self.assertEqual((LOOK in page, TELL in page), (False, False))

    def test_nor_where_something_else_could_not_be_looked_up(self) -> None:
        """A record that is missing, or types without a default, and a look that failed."""
        for path, fields in (
            ("/companies/labels", {"from_object_id": "999998"}),
            ("batch/read", {"from_object_type": "Company", "from_object_id": "901",
                            "to_object_type": "Property viewing", "to_object_id": "71"}),
        ):  # fmt: skip
            with self.subTest(path):
                self.setUp()
                for method in ("GET", "POST"):
                    self.sandbox.fault(method=method, path=path, status=500, times=None)
                page = self.panel(self.client, **fields)
                self.assertIn("had an error of its own", page)
                self.assertNotIn("all the same", page)

    def test_nor_by_the_default_type_that_was_looked_up_before(self) -> None:
        for fault in (*FOR_ADMINS.values(), {"status": 503}):
            self.setUp()
            self.assertIn("would be linked by the default type", self.panel(self.client))
            self.sandbox.fault(method="POST", path="batch/read", times=None, **fault)
            with self.subTest(fault):
                page = self.panel(self.client, from_object_id="506")
                self.assertNotIn("would be linked", page)

    def test_a_token_that_may_not_write_is_not_told_as_one_that_may_not_read(self) -> None:
        self.play(FOR_ADMINS["may not write"])
        page = self.panel(self.client)
        self.assertNotIn("may not read", page)
        self.assertIn("it lacks crm.objects.companies.write", page)

    def test_a_bound_of_this_site_is_not_told_as_hubspots(self) -> None:
        self.enterContext(mock.patch.object(rate_limiter, "LOOKS", 1))
        self.addCleanup(rate_limiter.close)
        self.panel(self.client)
        page = self.panel(self.client)
        self.assertNotIn("HubSpot takes no more", page)
        self.assertIn("You have looked up a lot", page)
        self.assertIn(PROMISE, page)

    def test_nor_is_the_limit_of_calls_that_is_kept_here(self) -> None:
        with override_settings(HUBSPOT_CALLS_PER_10_SECONDS=1, HUBSPOT_CALLS_FOR_PEOPLE=1):
            self.panel(self.client)
            page = self.panel(self.client, from_object_id="505")
        self.assertNotIn("HubSpot takes no more", page)
        self.assertIn("All calls that this site allows itself", page)

    def test_where_nothing_came_at_all_nothing_is_promised(self) -> None:
        self.assertNotContains(self.client.get("/"), "You can link them all the same")


@tag("one_database", "long")
class EntryTests(AdviceTestCase):
    """Each cause, on the entry that it ended and on one that was linked but could not be seen."""

    def test_every_cause_for_each_role_in_each_language(self) -> None:
        for cause in Cause:
            verdict = VERDICTS[cause]
            unseen = {"unverified_cause": cause, "outcome": "linked", "cause": "confirmed"}
            for fields in ({"cause": cause, "outcome": verdict.outcome}, unseen):
                entry = entry_of(self.user, **fields)
                for client, is_admin, _ in self.readers():
                    with self.subTest(cause, fields=fields):
                        page = client.get(entry.get_absolute_url()).content.decode()
                        told = page.split('<div class="actions')[0].split("</header>")[1]
                        self.assertEqual(is_admin and TELL in told, False)
                        self.assertEqual(LOOK in told and not is_admin, False)
                        self.assertNotIn("the admin", told)
                        if cause in (Cause.TOKEN_REFUSED, Cause.SCOPE_MISSING, Cause.FORBIDDEN,
                                     Cause.REDIRECTED):  # fmt: skip
                            self.assertIn(LOOK if is_admin else TELL, told)

    def test_no_list_tells_an_admin_to_tell_the_admin(self) -> None:
        for cause in Cause:
            entry_of(self.admin, cause=cause, outcome=VERDICTS[cause].outcome)
            entry_of(self.admin, unverified_cause=cause)
        for address in ("/requests/", "/audit/", "/audit/records/contacts/501/"):
            page = self.as_admin.get(address).content.decode().lower()
            self.assertNotIn("tell the", page)

    def test_a_check_that_showed_nothing(self) -> None:
        entry = entry_of(self.user)
        for cause in Cause:
            AssociationCheck.objects.create(
                entry=entry, user=self.user, user_name="Support", checked_at=timezone.now(),
                duration_ms=1, is_linked=None, cause=cause,
            )  # fmt: skip
            for client, is_admin, _ in self.readers():
                with self.subTest(cause):
                    page = client.get(entry.get_absolute_url()).content.decode()
                    told = page.split('id="checks"')[1].split("</ul>")[0]
                    self.assertEqual(is_admin and TELL in told, False)
                    self.assertEqual(LOOK in told and not is_admin, False)
                    self.assertNotIn("the admin", told)
                    if cause in (Cause.TOKEN_REFUSED, Cause.FORBIDDEN, Cause.REDIRECTED):
                        self.assertIn(LOOK if is_admin else TELL, told)


class OtherPagesTests(AdviceTestCase):
    def test_a_database_that_takes_nothing(self) -> None:
        for address, fields in (("/", FIELDS), ("/bulk/", {"rows": "Contact 7,Company 9"})):
            for client, is_admin in ((self.client, False), (self.as_admin, True)):
                with (
                    self.subTest(address, is_admin=is_admin),
                    read_only_database(),
                    self.assertLogs("associations", "ERROR"),
                ):
                    page = client.post(address, fields)
                text = page.content.decode().replace("&#x27;", "'")
                self.assertEqual((page.status_code, "the admin" in text), (503, False))
                self.assertEqual((TELL in text, "server's log" in text), (not is_admin, is_admin))

    def test_what_is_forbidden_to_an_admin(self) -> None:
        run = run_of(self.user, state="ready")
        page = self.as_admin.post(f"/bulk/{run.pk}/start/", {"way": "batch"})
        self.assertNotContains(page, "Your role does not include", status_code=403)
        self.assertNotContains(page, TELL, status_code=403)
        page = self.client.get("/status/")
        self.assertContains(page, TELL, status_code=403)

    @override_settings(ROOT_URLCONF="tests.hubadmin.test_requests")
    def test_a_page_that_failed(self) -> None:
        for client, is_admin in ((self.client, False), (self.as_admin, True)):
            client.raise_request_exception = False
            text = client.get("/broken").content.decode()
            with self.subTest(is_admin=is_admin):
                self.assertEqual(TELL in text, not is_admin)
                self.assertEqual("server's log" in text.replace("&#x27;", "'"), is_admin)

    def test_pairs_of_a_run_that_could_not_be_looked_up(self) -> None:
        for cause in (Cause.TOKEN_REFUSED, Cause.DAILY_LIMIT, Cause.REDIRECTED, Cause.HUBSPOT_DOWN):
            run = run_of(self.user, state="ready", lookup_cause=cause, rows_read=2)
            for client, is_admin, _ in self.readers():
                with self.subTest(cause):
                    page = client.get(run.get_absolute_url()).content.decode()
                    told = page.split("</dl>")[1].split("<form")[0]
                    is_for_admins = cause is not Cause.HUBSPOT_DOWN
                    self.assertEqual(LOOK in told, is_admin and is_for_admins)
                    self.assertEqual(TELL in told, not is_admin and is_for_admins)
                    self.assertNotIn("does no harm", told)
