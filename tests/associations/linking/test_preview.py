"""What people see of two records before they link them."""

import time
from collections.abc import Callable
from unittest import mock

from django.core.cache import cache
from django.db import Error as DBError
from django.http import HttpResponse
from django.test import override_settings
from django.utils import translation

from associations.gateway import clients, rate_limiter
from associations.hubspot import lookups
from associations.models import AssociationCheck, AssociationRequest, CallSlot
from tests.associations.linking.base import PageTestCase, entry_of
from tests.support import LINK, SignedInClient

PAIR = tuple(LINK.values())
FIELDS = {
    "from_object_type": "Contact",
    "from_object_id": "501",
    "to_object_type": "Company",
    "to_object_id": "902",
}
HTMX = {"HX-Request": "true"}


class PreviewTestCase(PageTestCase):
    def panel(self, **fields: str) -> HttpResponse:
        return self.client.post("/preview/", FIELDS | fields, headers=HTMX)

    def shows(self, *texts: str, **fields: str) -> None:
        page = " ".join(self.panel(**fields).content.decode().split())
        for text in texts:
            self.assertIn(text, page)

    def token(self, token: str) -> None:
        self.enterContext(override_settings(HUBSPOT_ACCESS_TOKEN=token))


class PanelTests(PreviewTestCase):
    def test_both_names_and_that_they_are_not_linked_yet(self) -> None:
        self.shows(
            *("Ada Byron", "ada@example.com", "Analytical Ltd", "analytical.example"),
            *("not linked yet", "default type from Contact to Company (279)"),
            "https://app.hubspot.com/contacts/4242/record/0-1/501",
        )
        self.assertEqual(self.puts(), [])

    def test_linked_already_and_how(self) -> None:
        self.sandbox.link(*PAIR)
        self.shows("They are linked already.")
        self.sandbox.link(*PAIR, label="Decision maker")
        self.shows("linked already, also as: <bdi>Decision maker</bdi>")

    def test_linked_by_a_label_alone(self) -> None:
        self.sandbox.link(*PAIR, label="Decision maker")
        self.shows("linked already as: <bdi>Decision maker</bdi>; not yet by the default type")

    def test_other_links_of_the_same_kind_by_name_and_number(self) -> None:
        for number in range(903, 909):
            self.sandbox.link("contacts", "501", "companies", str(number))
        self.shows(
            "Linked to 6 Companies:",
            "<bdi>Byron &amp; Daughters</bdi> (903)",
            "and 3 more",
            "not linked yet",
        )
        self.assertNotIn("(906)", self.panel().content.decode())

    def test_a_link_beyond_those_that_one_answer_shows(self) -> None:
        numbers = [str(number) for number in range(1, 602)]
        for number in numbers:
            self.sandbox.link("contacts", "501", "companies", number)
        shown = lookups.links_of(clients.interactive(), "contacts", "501", "companies")
        beyond = min({*numbers} - {each.object_id for each in shown.records})
        self.shows(
            "They are linked already.", "Linked to more than 500 Companies", to_object_id=beyond
        )

    def test_no_default_type(self) -> None:
        self.shows("no default way to link", from_object_type="Company", from_object_id="901",
                   to_object_type="Property viewing", to_object_id="71")  # fmt: skip

    def test_a_record_that_does_not_exist(self) -> None:
        self.shows("HubSpot has no record “Contact 999999”", from_object_id="999999")
        self.assertNotIn("linked", self.panel(from_object_id="999999").content.decode())

    def test_one_that_was_merged(self) -> None:
        body = {"results": [{"id": "601", "properties": {"firstname": "Ada"}}]}
        path = "objects/contacts/batch/read"
        self.sandbox.fault(method="POST", path=path, status=200, body=body)
        self.shows("merged into 601")

    def test_one_side_alone(self) -> None:
        page = self.panel(to_object_id="").content.decode()
        self.assertIn("Ada Byron", page)
        self.assertNotIn("linked", page)

    def test_nothing_to_show(self) -> None:
        for fields in ({}, {"from_object_id": "x", "to_object_type": "nonsense"}):
            answer = self.client.post("/preview/", fields, headers=HTMX)
            self.assertEqual((answer.status_code, answer.content.strip()), (200, b""))

    def test_a_custom_object_by_the_accounts_own_label(self) -> None:
        self.shows("Van Alpha", "Car 41", from_object_type="car", from_object_id="41")

    def test_names_are_escaped(self) -> None:
        body = {"results": [{"id": "501", "properties": {"firstname": "<script>"}}]}
        path = "objects/contacts/batch/read"
        self.sandbox.fault(method="POST", path=path, status=200, body=body)
        self.shows("&lt;script&gt;")

    def test_on_the_forms_button_as_well(self) -> None:
        body = {"results": [{"id": "501", "properties": {"firstname": "<i>Ada & Co"}}]}
        path = "objects/contacts/batch/read"
        self.sandbox.fault(method="POST", path=path, status=200, body=body)
        page = self.client.post("/", FIELDS | {"check": "1"}).text
        self.assertIn('Link <bdi class="cut" data-name="from">&lt;i&gt;Ada &amp; Co</bdi> to', page)
        self.assertNotIn("<i>", page)

    def test_not_asked_by_a_script_it_is_the_form(self) -> None:
        answer = self.client.post("/preview/", FIELDS)
        self.assertContains(answer, 'value="501"')
        self.assertContains(answer, "Ada Byron")
        self.assertEqual(self.client.get("/preview/", FIELDS).status_code, 405)

    def test_an_expired_session_leads_to_the_sign_in_as_a_whole_page(self) -> None:
        answer = SignedInClient().post("/preview/", FIELDS, headers=HTMX)
        self.assertEqual(answer.status_code, 401)
        self.assertEqual(answer["HX-Redirect"], "/")

    def test_and_what_was_typed_is_there_again_however_long_it_is(self) -> None:
        client = SignedInClient()
        address = "https://app.hubspot.com/contacts/4242/record/0-1/501?eschref=" + "x" * 1900
        typed = FIELDS | {"from_object_id": address, "reason": "SUP-7", "submit_token": "t"}
        current = {"HX-Current-URL": "https://testserver/?from_object_id=1"}
        answer = client.post("/preview/", typed, headers=HTMX | current)
        self.assertEqual((answer.status_code, answer["HX-Redirect"]), (401, "/"))
        client.sign_in(self.user)
        page = client.get("/")
        for value in (address, "SUP-7", "902", "t"):
            self.assertContains(page, f'value="{value}"')

    def test_what_is_empty_is_not_kept(self) -> None:
        client = SignedInClient()
        empty = dict.fromkeys([*FIELDS, "reason", "submit_token"], "")
        self.assertEqual(client.post("/preview/", empty, headers=HTMX).status_code, 401)
        self.assertNotIn("draft", client.session)

    def test_another_sites_link_leaves_nothing_behind(self) -> None:
        client = SignedInClient()
        self.assertEqual(client.get("/preview/", FIELDS).status_code, 302)
        self.assertNotIn("draft", client.session)

    def test_in_japanese(self) -> None:
        self.client.cookies["language"] = "ja"
        with translation.override("ja"):
            self.assertEqual(self.panel().status_code, 200)
        self.assertNotIn("not linked yet", self.panel().content.decode())


class TroubleTests(PreviewTestCase):
    """The panel says what it does not know, and never blocks."""

    def test_a_missing_scope_is_named(self) -> None:
        self.token("sandbox-no-read")
        self.shows("it lacks", "crm.objects.contacts.read", "link the records all the same")

    def test_hubspot_down(self) -> None:
        with override_settings(HUBSPOT_API_BASE_URL="http://127.0.0.1:9"):
            self.shows("HubSpot could not be reached.", "link the records all the same")

    def test_hubspot_slow_is_waited_for_only_so_long(self) -> None:
        self.sandbox.fault(method="POST", delay=5, times=None)
        self.sandbox.fault(method="GET", delay=5, times=None)
        self.enterContext(mock.patch.object(lookups, "SECONDS", 0.3))
        start = time.monotonic()
        self.shows("did not answer in time", "link the records all the same")
        self.assertLess(time.monotonic() - start, 4.5)

    def test_each_failure_has_a_line_and_no_page_breaks(self) -> None:
        for fault in (
            *({"status": status} for status in (302, 400, 401, 403, 404, 423, 429, 477, 500, 502)),
            *(
                {"status": 200, "body": body}
                for body in ("null", "[]", "<p>", "{}", '{"results":1}')
            ),
            {"truncate": 20},
            {"reset": "before"},
        ):
            with self.subTest(fault):
                self.setUp()
                for method in ("GET", "POST"):
                    self.sandbox.fault(method=method, **fault, times=None)
                self.assertEqual(self.panel().status_code, 200)
                self.assertEqual(self.client.get("/").status_code, 200)
                self.assertEqual(self.client.post("/", FIELDS).status_code, 302)
                self.assertEqual(len(self.puts()), 1)


class ChangedTests(PreviewTestCase):
    """What is linked is told as it is now, whoever has changed it, from either side."""

    BACK = {
        "from_object_type": "Company",
        "from_object_id": "902",
        "to_object_type": "Contact",
        "to_object_id": "501",
    }

    def assert_changes(self, change: Callable[[], object], before: str, after: str) -> None:
        for fields in (FIELDS, self.BACK):
            self.shows(before, **fields)
        change()
        for fields in (FIELDS, self.BACK):
            self.shows(after, **fields)

    def test_by_the_form(self) -> None:
        self.assert_changes(
            lambda: self.client.post("/", FIELDS), "not linked yet", "They are linked already."
        )

    def test_by_another_process_or_in_hubspot(self) -> None:
        self.assert_changes(
            lambda: self.sandbox.link(*PAIR), "not linked yet", "They are linked already."
        )

    def test_a_link_that_was_removed(self) -> None:
        self.sandbox.link(*PAIR)
        self.assert_changes(self.sandbox.links.clear, "They are linked already.", "not linked yet")

    def test_a_record_that_was_merged_into_one_that_is_linked(self) -> None:
        self.sandbox.link("contacts", "501", "companies", "903")
        self.assert_changes(
            lambda: self.sandbox.merge("companies", "902", "903"),
            "not linked yet",
            "They are linked already.",
        )

    def test_among_the_links_of_the_first_record_as_well(self) -> None:
        self.assert_changes(
            lambda: self.sandbox.link("contacts", "501", "companies", "903"),
            "not linked yet",
            "not linked yet",
        )
        self.shows("<bdi>Byron &amp; Daughters</bdi> (903)")

    def test_that_hubspot_shows_nothing_is_not_asked_for_with_every_key(self) -> None:
        self.sandbox.fault(method="POST", path="associations/.*/batch/read", status=503, times=2)
        for _ in range(2):
            self.shows("HubSpot is not available at the moment.")


class LimitTests(PreviewTestCase):
    def setUp(self) -> None:
        super().setUp()
        # However slow the machine is, no look of a test is forgotten before its end.
        self.enterContext(mock.patch("associations.gateway.rate_limiter.LOOK_WINDOW", 600.0))

    def test_nobody_has_previews_without_end(self) -> None:
        self.enterContext(mock.patch("associations.gateway.rate_limiter.LOOKS", 2))
        self.addCleanup(rate_limiter.close)
        for pk in ("501", "502"):
            self.assertIn(
                "ada" if pk == "501" else "bruno",
                self.panel(from_object_id=pk).content.decode().lower(),
            )
        self.shows("You have looked up a lot", "link the records all the same")
        self.assertIn("Ada", self.as_admin.post("/preview/", FIELDS, headers=HTMX).content.decode())

    def test_another_process_counts_the_same_ones(self) -> None:
        self.enterContext(mock.patch("associations.gateway.rate_limiter.LOOKS", 3))
        self.panel()
        cache.clear()  # all that a process has by itself
        rate_limiter.close()
        self.panel()
        self.panel()
        self.shows("You have looked up a lot", "link the records all the same")

    def test_a_clock_that_was_set_back_holds_nobody_up(self) -> None:
        self.enterContext(mock.patch("associations.gateway.rate_limiter.LOOKS", 2))
        self.panel()
        ahead = (
            f"UPDATE {CallSlot._meta.db_table} SET used_at = used_at + 3600 WHERE number > 999999"
        )
        rate_limiter._connection.run(lambda wrapper: wrapper.cursor().execute(ahead))
        self.panel()
        self.shows("You have looked up a lot", "link the records all the same")
        with mock.patch("associations.gateway.rate_limiter.LOOK_WINDOW", 0.001):
            self.assertIn("Ada", self.panel().content.decode())

    def test_a_limit_that_cannot_be_asked_keeps_nobody_from_looking(self) -> None:
        broken = mock.patch.object(rate_limiter._connection, "run", side_effect=DBError)
        with broken, self.assertLogs("associations.gateway.rate_limiter", "ERROR"):
            self.assertIn("Ada", self.panel().content.decode())


class WithoutScriptTests(PreviewTestCase):
    def check(self, **fields: str) -> HttpResponse:
        return self.client.post("/", FIELDS | {"check": "1", "submit_token": "t"} | fields)

    def test_the_button_shows_the_same_and_sends_nothing(self) -> None:
        answer = self.check(reason="SUP-1")
        for text in ("Ada Byron", "Analytical Ltd", "They are not linked yet", 'value="SUP-1"'):
            self.assertContains(answer, text)
        self.assertContains(answer, 'name="submit_token" value="t"')
        self.assertEqual((self.puts(), AssociationRequest.objects.count()), ([], 0))

    def test_an_address_becomes_type_and_id(self) -> None:
        address = "/contacts/4242/record/0-1/501/view/1"
        for object_type in ("", "Deal"):  # what was pasted goes before a type that stood there
            answer = self.check(from_object_type=object_type, from_object_id=address)
            self.assertContains(answer, 'value="501"')
            self.assertContains(answer, '<option value="contacts" selected>')
            self.assertNotContains(answer, address)

    def test_what_is_wrong_is_told_and_the_other_side_shown(self) -> None:
        answer = self.check(from_object_id="/contacts/4242/objects/0-1/views/all/list")
        self.assertContains(answer, "Analytical Ltd")
        self.assertContains(answer, "This is the address of a list.")


class RecordsTests(PreviewTestCase):
    def test_the_names_of_an_entrys_records(self) -> None:
        entry = entry_of(self.user)
        page = self.client.get(f"/requests/{entry.pk}/records/", headers=HTMX)
        self.assertContains(page, "Ada Byron")
        self.assertContains(page, "Analytical Ltd")

    def test_what_is_not_known_is_a_type_and_an_id(self) -> None:
        entry = entry_of(self.user, from_object_id="77777")
        page = self.client.get(f"/requests/{entry.pk}/records/", headers=HTMX)
        self.assertContains(page, "Contact 77777")


class CheckAgainTests(PageTestCase):
    def setUp(self) -> None:
        super().setUp()
        self.entry = entry_of(self.user, outcome="unreachable", cause="timed_out")
        self.address = f"/requests/{self.entry.pk}/"

    def test_it_adds_a_row_and_shows_it(self) -> None:
        self.sandbox.link(*PAIR)
        page = self.client.post(f"{self.address}check/", follow=True)
        self.assertContains(page, "The records are linked.")
        self.assertEqual(AssociationCheck.objects.get().user, self.user)
        self.entry.refresh_from_db()
        self.assertEqual(self.entry.outcome, "unreachable")

    def test_not_linked_and_not_seen(self) -> None:
        page = self.client.post(f"{self.address}check/", follow=True)
        self.assertContains(page, "The records are not linked.")
        self.sandbox.fault(method="POST", status=503)
        page = self.client.post(f"{self.address}check/", follow=True)
        self.assertContains(page, "This could not be seen.")
        self.assertContains(page, "HubSpot is not available")

    def test_an_open_entry_is_not_checked(self) -> None:
        entry = entry_of(self.user, outcome="sending", cause="", finished_at=None)
        self.client.post(f"/requests/{entry.pk}/check/")
        self.assertEqual(AssociationCheck.objects.count(), 0)

    @override_settings(SUBMITS_PER_PERSON_PER_MINUTE=1)
    def test_too_often(self) -> None:
        self.client.post(f"{self.address}check/")
        page = self.client.post(f"{self.address}check/")
        self.assertContains(page, "nothing was looked up", status_code=429)
        self.assertEqual(AssociationCheck.objects.count(), 1)
