"""What comes once more after its end: nothing is sent, the page says so, and offers to send it."""

import re
from datetime import UTC, datetime, timedelta
from unittest import mock

from django.http import HttpResponse
from django.test import override_settings
from django.utils import timezone

from associations.audit import recorder
from associations.audit.recorder import RequestMeta
from associations.linking import services
from associations.models import AssociationRequest
from tests.associations.linking.base import PageTestCase, entry_of, run_of
from tests.support import LINK, SignedInClient, person

TYPED = {
    "from_object_type": "Contact",
    "from_object_id": "503",
    "to_object_type": "Company",
    "to_object_id": "903",
    "reason": 'SUP-7 "urgent" <b>',
    "submit_token": "the form's",
}
TOO_MANY = {"method": "PUT", "status": 429, "body": {"policyName": "TEN_SECONDLY_ROLLING"}}
NOTHING = "nothing was sent now."


class SentBeforeTestCase(PageTestCase):
    def submit(self, **fields: str) -> HttpResponse:
        return self.client.post("/", TYPED | fields, follow=True)

    def form_of(self, page: HttpResponse) -> dict[str, str]:
        """The hidden fields of the button that sends it anew."""
        form = page.content.decode().split('class="anew"')[1].split("</form>")[0]
        fields = re.findall(r'type="hidden" name="(\w+)" value="([^"]*)"', form)
        unescaped = {"&quot;": '"', "&lt;": "<", "&gt;": ">", "&#x27;": "'"}
        for mark, text in unescaped.items():
            fields = [(name, value.replace(mark, text)) for name, value in fields]
        return dict(fields)

    def says_nothing_was_sent(self, page: HttpResponse) -> None:
        self.assertContains(page, NOTHING)
        self.assertContains(page, 'role="alert" tabindex="-1" autofocus')
        self.assertEqual(page.content.decode().count("autofocus"), 1)


class TokenTests(SentBeforeTestCase):
    """No browser keeps the form; which token it has when it is asked for again."""

    def token(self, **headers: str) -> str:
        told = {name.replace("_", "-"): value for name, value in headers.items()}
        form = self.client.get("/", headers=told).context["form"]
        return str(form["submit_token"].value())

    def test_back_brings_the_token_that_was_sent_and_a_click_another(self) -> None:
        back = {"Sec_Fetch_Mode": "navigate", "Sec_Fetch_Site": "same-origin"}
        address = {"Sec_Fetch_Mode": "navigate", "Sec_Fetch_Site": "none", "Sec_Fetch_User": "?1"}
        self.assertNotEqual(self.token(**back), self.token(**back))
        self.submit()
        self.assertEqual(self.token(**back), TYPED["submit_token"])
        self.assertEqual(self.token(**address), TYPED["submit_token"])
        for fresh in (back | {"Sec_Fetch_User": "?1"}, {}):
            self.assertNotEqual(self.token(**fresh), TYPED["submit_token"])
        self.submit(submit_token="the next one's")
        self.assertEqual(self.token(**back), "the next one's")


class RefusedTests(SentBeforeTestCase):
    def test_back_after_a_429_says_that_nothing_was_sent_now(self) -> None:
        self.sandbox.fault(**TOO_MANY)
        first = self.submit()
        self.assertNotContains(first, NOTHING)
        again = self.submit()
        self.assertEqual(len(self.puts()), 1)
        self.says_nothing_was_sent(again)
        self.assertContains(again, "HubSpot takes no more requests for the moment")
        entry = AssociationRequest.objects.get()
        self.assertEqual(again.redirect_chain[0][1], 302)
        self.assertContains(again, f"{timezone.localtime(entry.sent_at):%H:%M} UTC")

    def test_a_reload_of_that_page_sends_nothing(self) -> None:
        self.sandbox.fault(**TOO_MANY)
        self.submit()
        address = self.submit().redirect_chain[-1][0]
        for _ in range(2):
            self.says_nothing_was_sent(self.client.get(address))
        self.assertEqual((len(self.puts()), AssociationRequest.objects.count()), (1, 1))

    def test_its_button_sends_the_same_with_a_token_of_its_own(self) -> None:
        self.sandbox.fault(**TOO_MANY)
        self.submit()
        fields = self.form_of(self.submit())
        self.assertNotEqual(fields.pop("submit_token"), TYPED["submit_token"])
        self.assertTrue(fields.pop("csrfmiddlewaretoken"))
        self.assertEqual(fields, {name: TYPED[name] for name in fields})
        self.assertEqual(len(fields), 5)
        token = self.form_of(self.submit())["submit_token"]
        page = self.client.post("/", fields | {"submit_token": token}, follow=True)
        self.assertContains(page, "Contact 503 is now linked to Company 903.")
        self.assertNotContains(page, NOTHING)
        self.assertEqual(AssociationRequest.objects.filter(reason=TYPED["reason"]).count(), 2)

    def test_pressed_twice_its_button_is_one_entry(self) -> None:
        self.submit()
        fields = self.form_of(self.submit())
        for _ in range(3):
            self.client.post("/", fields)
        self.assertEqual(AssociationRequest.objects.count(), 2)

    def test_its_button_is_held_to_the_limit_of_submits_and_to_csrf(self) -> None:
        self.submit()
        fields = self.form_of(self.submit())
        with override_settings(SUBMITS_PER_PERSON_PER_MINUTE=1):
            page = self.client.post("/", fields)
        self.assertContains(page, "That was too quick", status_code=429)
        self.assertContains(page, 'value="903"', status_code=429)
        self.client.handler.enforce_csrf_checks = True
        del fields["csrfmiddlewaretoken"]
        with self.assertLogs("hubadmin.web.views", "WARNING"):
            self.client.post("/", fields)
        self.assertEqual(AssociationRequest.objects.count(), 1)

    def test_every_end_is_told(self) -> None:
        for number, fault in enumerate(
            ({"status": 401}, {"status": 404}, {"status": 503}, {"reset": "after"}, {"truncate": 5})
        ):
            with self.subTest(fault):
                self.sandbox.fault(method="PUT", **fault, times=3)
                token = str(number)
                self.assertNotContains(self.submit(submit_token=token), NOTHING)
                self.says_nothing_was_sent(self.submit(submit_token=token))
                self.sandbox.reset()

    def test_an_odd_type_can_be_sent_anew(self) -> None:
        for kind, number in (("2-4001", "41"), ("p4242_car", "42"), ("0-8", "77"), ("Car", "43")):
            with self.subTest(kind):
                self.submit(from_object_type=kind, from_object_id=number)
                fields = self.form_of(self.submit(from_object_type=kind, from_object_id=number))
                self.assertEqual(self.client.post("/", fields).status_code, 302)
                stored = AssociationRequest.objects.filter(from_object_id=number)
                self.assertEqual(stored.values("from_object_type").distinct().count(), 1)
                self.assertEqual(stored.count(), 2)


class LinkedTests(SentBeforeTestCase):
    def test_a_link_that_is_gone_meanwhile_is_not_told_as_done_now(self) -> None:
        self.assertContains(self.submit(), "seen in HubSpot")
        self.sandbox.reset()  # somebody removed it in HubSpot
        self.says_nothing_was_sent(self.submit())
        self.assertEqual(self.puts(), [])

    def test_other_fields_are_another_submit(self) -> None:
        self.submit()
        for fields in ({"reason": "SUP-8"}, {"to_object_id": "904"}, {"submit_token": "u"}):
            with self.subTest(fields):
                self.assertNotContains(self.submit(**fields), NOTHING)
        self.assertEqual(len(self.puts()), 4)

    def test_one_under_way_is_shown_as_it_stands(self) -> None:
        self.under_way(timezone.now())
        page = self.submit()
        self.assertNotContains(page, NOTHING)
        self.assertContains(page, "HubSpot's answer is awaited")

    def test_one_that_a_crash_left_open_has_ended(self) -> None:
        self.under_way(timezone.now() - timedelta(minutes=9))
        self.says_nothing_was_sent(self.submit())
        self.assertEqual((self.puts(), AssociationRequest.objects.count()), ([], 1))

    def under_way(self, sent_at: datetime) -> None:
        association = LINK | {"from_object_id": "503", "to_object_id": "903"}
        sent = {"submit_token": TYPED["submit_token"], "reason": TYPED["reason"]} | association
        entry, _ = recorder.open_entry(user=self.user, meta=RequestMeta(), **sent)
        AssociationRequest.objects.filter(pk=entry.pk).update(sent_at=sent_at)


class NoticeTests(SentBeforeTestCase):
    def notice(self, entry: AssociationRequest, zone: str = "") -> str:
        if zone:
            self.client.cookies["timezone"] = zone
        page = self.client.get(f"{entry.get_absolute_url()}?repeated").content.decode()
        notice = page.split('role="alert"')[1].split("</p>")[0]
        return " ".join(re.sub("<[^>]*>", "", notice.split(">", 1)[1]).split())

    def sent(self, *moment: int) -> AssociationRequest:
        sent_at = datetime(*moment, tzinfo=UTC)
        return entry_of(self.user, sent_at=sent_at, created_at=sent_at, finished_at=sent_at)

    def test_what_never_left_is_not_said_to_have_been_sent(self) -> None:
        now = timezone.now()
        for cause, outcome in (("no_connection", "unreachable"), ("rate_limited", "rejected")):
            for sent_at, told in ((now, "This was tried at"), (now - timedelta(3), "tried on")):
                with self.subTest(cause, told=told):
                    entry = entry_of(
                        self.user, cause=cause, outcome=outcome, http_status=None,
                        created_at=sent_at, sent_at=sent_at, finished_at=sent_at,
                    )  # fmt: skip
                    page = self.client.get(f"{entry.get_absolute_url()}?repeated")
                    self.assertNotContains(page, "This was sent")
                    self.assertContains(page, NOTHING)
                    self.assertContains(page, told)
                    self.assertContains(page, "<dt>Sent</dt><dd>never</dd>", html=True)

    def test_what_hubspot_has_refused_was_sent(self) -> None:
        entry = entry_of(self.user, cause="rate_limited", outcome="rejected", http_status=429)
        self.assertContains(
            self.client.get(f"{entry.get_absolute_url()}?repeated"), "This was sent"
        )

    def test_the_time_is_the_persons_and_another_day_is_named(self) -> None:
        entry = self.sent(2026, 11, 27, 15, 10, 59)
        for zone, now, told in (
            ("Asia/Kolkata", (2026, 11, 27, 18, 20), "This was sent at 20:40 IST; nothing"),
            ("Asia/Kolkata", (2026, 11, 27, 18, 40), "on 27 Nov 2026, 20:40:59 IST; nothing"),
            ("America/New_York", (2026, 11, 28, 4, 50), "This was sent at 10:10 EST; nothing"),
            (
                "America/New_York",
                (2026, 12, 27, 4, 50),
                "on 27 Nov 2026, 10:10:59 EST; nothing",
            ),
        ):
            with self.subTest(zone, now=now):
                moment = datetime(*now, tzinfo=UTC)
                with mock.patch.object(timezone, "now", return_value=moment):
                    self.client.sign_in(self.user)
                    self.assertIn(told, self.notice(entry, zone))

    def test_in_japanese(self) -> None:
        self.client.cookies["language"] = "ja"
        text = self.notice(self.sent(2026, 11, 26, 15, 10))
        self.assertIn("2026年11月26日 15:10:00 UTC", text)

    def test_it_is_told_of_nothing_but_a_submit_that_is_ones_own_and_has_ended(self) -> None:
        now = timezone.now()
        for entry in (
            entry_of(person("other", "support")),
            entry_of(self.user, outcome="sending", cause="", finished_at=None, sent_at=now),
            entry_of(self.user, outcome="queued", cause="", finished_at=None, sent_at=None),
            entry_of(self.user, run=run_of(self.user), row_number=1),
        ):
            for client in (self.client, self.as_admin):
                page = client.get(f"{entry.get_absolute_url()}?repeated").content.decode()
                self.assertNotIn(NOTHING, page)


class DraftTests(SentBeforeTestCase):
    """What comes back after signing in may have been sent, and ended, long ago."""

    def test_it_is_told_as_well_and_the_draft_is_gone(self) -> None:
        self.submit()
        client = self.client = SignedInClient()
        client.post("/", TYPED)
        client.sign_in(self.user)
        self.assertContains(client.get("/"), "You had been signed out")
        self.says_nothing_was_sent(self.submit())
        self.assertNotContains(client.get("/"), 'value="503"')


class ServiceTests(SentBeforeTestCase):
    def create(self) -> AssociationRequest:
        return services.create_association(user=self.user, submit_token="t", **LINK)

    def test_the_view_is_told_which_it_is(self) -> None:
        entry = self.create()
        with self.assertRaises(services.SentBeforeError) as told:
            self.create()
        self.assertEqual(told.exception.entry, entry)
        self.assertEqual(len(self.puts()), 1)
