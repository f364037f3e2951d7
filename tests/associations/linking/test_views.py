"""The form and what is kept of it, without a browser."""

import re

from associations.linking.after import LATEST
from associations.models import AssociationRequest
from tests.associations.linking.base import PageTestCase, entry_of
from tests.support import (
    LogTransactionTestCase,
    SandboxMixin,
    SignedInClient,
    missing_table,
    person,
    read_only_database,
)

TYPED = {
    "from_object_type": "contact",
    "from_object_id": " 501 ",
    "to_object_type": "COMPANIES",
    "to_object_id": "902",
    "reason": "SUP-1234",
}


class LinkTests(PageTestCase):
    def submit(self, **fields: str) -> object:
        return self.client.post("/", TYPED | fields)

    def test_a_link(self) -> None:
        answer = self.submit()
        entry = AssociationRequest.objects.get()
        self.assertRedirects(answer, f"/?linked={entry.pk}")
        self.assertEqual((entry.from_object_type, entry.from_object_id), ("contacts", "501"))
        self.assertEqual((entry.to_object_type, entry.to_object_id), ("companies", "902"))
        self.assertEqual((entry.reason, entry.user), ("SUP-1234", self.user))
        page = self.client.get(answer.url)
        self.assertContains(page, "Contact 501 is now linked to Company 902.")
        self.assertContains(page, "https://app.hubspot.com/contacts/4242/record/0-1/501")
        page = self.client.get(entry.get_absolute_url())
        for type_id in (279, 280):
            self.assertContains(page, f"<code>{type_id}</code>")

    def test_who_and_where_are_in_the_log(self) -> None:
        answer = self.client.post("/", TYPED, headers={"user-agent": "Agent/1"})
        entry = AssociationRequest.objects.get()
        self.assertEqual(entry.client_ip, "127.0.0.1")
        told = (entry.user_agent, entry.request_id)
        self.assertEqual(told, ("Agent/1", answer["X-Request-ID"]))

    def test_bad_input_is_answered_beside_its_field_and_kept(self) -> None:
        answer = self.submit(from_object_id="5e11", to_object_type="Compny")
        self.assertContains(answer, 'value="5e11"', status_code=422)
        self.assertContains(answer, 'value="Compny"', status_code=422)
        self.assertContains(answer, 'value="SUP-1234"', status_code=422)
        self.assertContains(answer, 'href="#id_from_object_id"', status_code=422)
        self.assertContains(answer, 'id="id_to_object_type_error"', status_code=422)
        self.assertContains(answer, 'aria-describedby="id_to_object_type_error"', status_code=422)
        self.assertContains(answer, "Nothing was sent yet", status_code=422)
        self.assertFalse(AssociationRequest.objects.exists())
        self.assertEqual(self.puts(), [])

    def test_fields_that_are_not_on_the_form_change_nothing(self) -> None:
        self.submit(outcome="linked", user=str(self.admin.pk), user_name="Mallory", status="X")
        entry = AssociationRequest.objects.get()
        self.assertEqual((entry.user, entry.user_name), (self.user, "Support"))

    def test_sending_twice_is_one_entry(self) -> None:
        page = self.client.get("/").content.decode()
        token = re.search(r'name="submit_token" value="([^"]+)"', page)[1]
        first, second = (self.submit(submit_token=token).url for _ in range(2))
        entry = AssociationRequest.objects.get()
        self.assertEqual(
            (first, second), (f"/?linked={entry.pk}", f"/requests/{entry.pk}/?repeated")
        )
        self.assertEqual(len(self.puts()), 1)
        self.assertNotEqual(self.submit(submit_token=token, to_object_id="903").url, first)

    def test_a_prefilled_form_from_an_address_is_not_sent(self) -> None:
        answer = self.client.get("/", TYPED | {"from_object_id": '"><script>'}, follow=True)
        self.assertContains(answer, 'value="SUP-1234"')
        self.assertContains(answer, "&quot;&gt;&lt;script&gt;")
        self.assertNotContains(answer, "Nothing was sent yet")
        self.assertEqual(self.puts(), [])

    def test_the_log_unavailable_keeps_what_was_typed_and_says_so(self) -> None:
        with (
            read_only_database(),
            self.assertLogs("associations.audit.recorder", "ERROR"),
        ):
            answer = self.submit()
        self.assertContains(answer, "nothing was sent", status_code=503)
        self.assertContains(answer, 'value="SUP-1234"', status_code=503)
        self.assertEqual(self.puts(), [])

    def test_too_long_a_reason_is_told_and_kept(self) -> None:
        answer = self.submit(reason="x" * 300_000)
        self.assertContains(answer, "Keep the reason to 500 characters", status_code=422)
        self.assertContains(answer, "x" * 300_000, status_code=422)
        self.assertNotContains(self.client.get("/"), 'maxlength="500"')

    def test_the_latest_are_the_persons_own_with_a_way_to_use_them_again(self) -> None:
        for number in range(LATEST + 2):
            entry_of(self.user, from_object_id=str(600 + number))
        entry_of(self.admin, from_object_id="999")
        page = self.client.get("/")
        self.assertNotContains(page, "999")
        self.assertNotContains(page, "Contact 601 →")
        self.assertContains(page, "Contact 602 →")
        self.assertContains(page, "from_object_type=Contact&amp;from_object_id=602")
        self.assertNotContains(page, "from_object_type=Company&amp;from_object_id=902")

    def test_the_number_of_queries_does_not_grow_with_the_entries(self) -> None:
        entry_of(self.user)
        # From then on it is known for a minute which types they use most, and what was abandoned
        # is closed for some seconds.
        self.client.get("/")
        with self.assertNumQueries(4):
            self.client.get("/")
        for _ in range(LATEST):
            entry_of(self.user)
        with self.assertNumQueries(4):
            self.client.get("/")


class NoLogTests(SandboxMixin, LogTransactionTestCase):
    def test_without_any_log_the_page_says_what_was_typed(self) -> None:
        client = SignedInClient(person(), raise_request_exception=False)
        with missing_table(AssociationRequest):
            self.assertEqual(client.get("/").status_code, 200)
            answer = client.post("/", TYPED)
        self.assertContains(answer, "SUP-1234", status_code=answer.status_code)
        self.assertIn(answer.status_code, (500, 503))


class DraftTests(PageTestCase):
    """What was typed is never lost."""

    def test_an_expired_sign_in_brings_the_form_back_filled_and_unsent(self) -> None:
        client = SignedInClient()
        answer = client.post("/", TYPED)
        self.assertRedirects(answer, "/sign-in?next=/", fetch_redirect_response=False)
        client.sign_in(self.user)
        page = client.get("/")
        self.assertContains(page, "You had been signed out")
        for value in (" 501 ", "902", "SUP-1234"):
            self.assertContains(page, f'value="{value}"')
        for value in ("contacts", "companies"):
            self.assertContains(page, f'<option value="{value}" selected>')
        self.assertEqual(self.puts(), [])

    def test_it_stays_until_it_is_sent_or_started_afresh(self) -> None:
        for way_out in (lambda: self.client.get("/?new"), lambda: self.client.post("/", TYPED)):
            client = self.client = SignedInClient()
            client.post("/", TYPED)
            client.sign_in(self.user)
            for method in (client.head, client.get, client.get):
                method("/")
            self.assertContains(client.get("/"), "SUP-1234")
            self.assertNotContains(client.get("/?from_object_id=1", follow=True), "SUP-1234")
            way_out()
            self.assertNotContains(client.get("/"), 'value="SUP-1234"')

    def test_it_keeps_its_one_time_token(self) -> None:
        self.client.post("/", TYPED | {"submit_token": "t"})
        client = SignedInClient()
        client.post("/", TYPED | {"submit_token": "t"})
        client.sign_in(self.user)
        page = client.get("/").content.decode()
        token = re.search(r'name="submit_token" value="([^"]+)"', page)[1]
        client.post("/", TYPED | {"submit_token": token})
        self.assertEqual(AssociationRequest.objects.count(), 1)

    def test_it_is_not_shown_to_somebody_else(self) -> None:
        client = SignedInClient(self.user, enforce_csrf_checks=True)
        client.post("/", TYPED)
        self.assertIn("draft", client.session)
        client.sign_in(self.admin)
        self.assertNotContains(client.get("/"), "SUP-1234")

    def test_another_sites_form_fills_in_nothing(self) -> None:
        client = SignedInClient(self.user, enforce_csrf_checks=True)
        answer = client.post("/", TYPED, headers={"sec-fetch-site": "cross-site"})
        self.assertEqual(answer.status_code, 403)
        self.assertNotIn("draft", client.session)

    def test_a_browser_without_our_cookies_gets_no_session_but_sees_what_was_typed(self) -> None:
        client = SignedInClient(enforce_csrf_checks=True)
        answer = client.post("/", TYPED)
        self.assertContains(answer, "SUP-1234", status_code=403)
        self.assertContains(answer, "<dt>From</dt>", status_code=403)
        self.assertNotIn("__Host-sessionid", client.cookies)

    def test_a_page_too_old_brings_the_form_back_filled_and_unsent(self) -> None:
        client = SignedInClient(self.user, enforce_csrf_checks=True)
        with self.assertLogs("hubadmin.web.views", "WARNING"):
            answer = client.post("/", TYPED, follow=True)
        self.assertContains(answer, "had been open for too long")
        self.assertContains(answer, 'value="SUP-1234"')
        self.assertEqual(self.puts(), [])

    def test_other_posts_are_not_kept(self) -> None:
        client = SignedInClient()
        client.post("/sign-out", {"reason": "x"})
        self.assertNotIn("draft", client.session)

    def test_what_anybody_may_send_is_bounded(self) -> None:
        client = SignedInClient()
        client.post("/", {f"f{n}": "x" * 9000 for n in range(25)} | {"reason": "x" * 9000})
        self.assertEqual(client.session["draft"]["fields"], {"reason": "x" * 2100})
