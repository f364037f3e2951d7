"""Words in an address: read, and found nowhere afterwards but in the form."""

import logging
from typing import Any
from unittest import mock

from django.contrib.sessions.models import Session
from django.http import HttpResponse

from hubadmin.web import addresses, drafts
from hubadmin.web.budget import Budget
from tests.associations.linking.base import PageTestCase
from tests.hubadmin.test_canary import everything_logged
from tests.support import LINK, SignedInClient

CANARY = "canary.7f3a91d0@example.com"
PARTS = ("canary.7f3a91d0", "canary%2E")


class AddressTestCase(PageTestCase):
    def form_at(self, address: str, client: SignedInClient | None = None) -> dict[str, str]:
        form = (client or self.client).get(address, follow=True).context["form"]
        values = {name: form[name].value() for name in form.TYPED_FIELDS}
        return {name: value for name, value in values.items() if value}


class TakenOutTests(AddressTestCase):
    def test_the_browser_is_sent_on_to_an_address_without_the_words(self) -> None:
        answer = self.client.get("/", {"from": CANARY, "to": "Analytical Ltd", "reason": "SUP-7"})
        self.assertRedirects(answer, "/?filled")
        self.assertNotIn("canary", f"{answer.headers}{answer.content.decode()}")

    def test_the_boxes_take_the_words(self) -> None:
        given = {"from": CANARY, "to": "Analytical Ltd & sons", "reason": "SUP-7"}
        self.client.get("/", given)
        for _ in range(2):  # a reload shows them again
            found = self.form_at("/?filled")
            expected = {"from_object_id": CANARY, "to_object_id": given["to"], "reason": "SUP-7"}
            self.assertEqual(found, expected)

    def test_further_records_come_as_lines(self) -> None:
        self.assertEqual(self.form_at("/?also=903&also=deal+701"), {"also": "903\ndeal 701"})

    def test_addresses_of_before_go_on_working(self) -> None:
        self.assertEqual(self.form_at(f"/?{'&'.join(f'{k}={v}' for k, v in LINK.items())}"), LINK)

    def test_an_empty_word_is_none(self) -> None:
        self.assertRedirects(self.client.get("/?from="), "/")

    def test_too_long_a_word_is_said_and_shown(self) -> None:
        found = self.form_at(f"/?to=1&from={'9' * 2050}")
        self.assertEqual(found["from_object_id"], "9" * 2050)
        answer = self.client.post("/", found)
        self.assertContains(answer, "Keep the address to 2000", status_code=422)

    def test_the_first_box_that_is_empty_has_the_focus(self) -> None:
        page = self.client.get("/?from=contact+501", follow=True)
        self.assertIn("autofocus", str(page.context["form"]["to_object_id"]))

    def test_other_pages_and_other_words_stay(self) -> None:
        self.assertEqual(self.client.get("/requests/?from=x").status_code, 200)
        self.assertEqual(self.client.get("/?utm_source=x").status_code, 200)


class HowLongTests(AddressTestCase):
    def test_until_it_is_sent(self) -> None:
        self.client.get("/?from=501")
        self.client.post("/", LINK)
        self.assertNotIn(drafts.BY_ADDRESS, self.client.session)
        page = self.client.get("/?filled")
        self.assertContains(page, "What the address said is not kept any more")

    def test_until_one_goes_on(self) -> None:
        self.client.get("/?from=501")
        self.client.get("/")
        self.assertNotIn(drafts.BY_ADDRESS, self.client.session)

    def test_until_one_signs_out(self) -> None:
        self.client.get("/", {"from": CANARY})
        self.client.post("/sign-out")
        kept = [each.get_decoded() for each in Session.objects.all()]
        self.assertNotIn(CANARY, str(kept))

    def test_what_was_typed_before_is_not_lost_by_it(self) -> None:
        client = SignedInClient()
        client.post("/", LINK | {"reason": "SUP-1234"})
        client.sign_in(self.user)
        self.assertEqual(self.form_at("/?from=777", client), {"from_object_id": "777"})
        self.assertContains(client.get("/"), "SUP-1234")

    def test_somebody_else_is_not_shown_it(self) -> None:
        self.client.get("/", {"from": CANARY})
        self.client.sign_in(self.admin)
        self.assertNotContains(self.client.get("/?filled"), CANARY)


class SignedOutTests(AddressTestCase):
    def test_it_waits_behind_the_sign_in_whose_address_does_not_say_it(self) -> None:
        client = SignedInClient()
        answer = client.get("/", {"from": CANARY}, follow=True)
        self.assertEqual(answer.redirect_chain[0][0], "/?filled")
        self.assertIn("next=/%3Ffilled", str(answer.redirect_chain))
        self.assertNotIn("canary", f"{answer.redirect_chain}{answer.content.decode()}")
        client.sign_in(self.user)
        self.assertEqual(self.form_at("/?filled", client), {"from_object_id": CANARY})

    def test_strangers_leave_no_more_than_their_budget_and_are_told(self) -> None:
        client = SignedInClient()
        self.enterContext(mock.patch.object(addresses, "of_strangers", Budget(0)))
        self.assertRedirects(client.get("/?from=501"), "/?filled", fetch_redirect_response=False)
        self.assertNotIn(drafts.BY_ADDRESS, client.session)
        client.sign_in(self.user)
        self.assertContains(client.get("/?filled"), "not kept any more")

    def test_what_strangers_open_takes_no_room_of_what_somebody_typed(self) -> None:
        for module in (addresses, drafts):
            self.enterContext(mock.patch.object(module, "of_strangers", Budget(1)))
        for _ in range(3):  # as anybody's page could have browsers do
            SignedInClient().get("/?from=501")
        client = SignedInClient()
        client.post("/", LINK | {"reason": "SUP-1234"})
        client.sign_in(self.user)
        self.assertContains(client.get("/"), "SUP-1234")


class CanaryTests(AddressTestCase):
    def test_no_log_line_no_later_address_and_no_header_has_it(self) -> None:
        answers: list[HttpResponse] = []
        with everything_logged() as lines:
            logging.getLogger("hubadmin.request").info("there are lines")
            for client in (SignedInClient(), self.client):
                answers += self.walk(client)
        told = [f"{answer.status_code} {answer.headers}" for answer in answers]
        for text in (*lines, *told):
            for part in PARTS:
                self.assertNotIn(part, text)
        self.assertGreater(len([line for line in lines if '"path": "/"' in line]), 3)

    def walk(self, client: SignedInClient) -> list[HttpResponse]:
        words: dict[str, Any] = {"from": CANARY, "to": CANARY}
        found = [client.get("/", words), client.head("/", words), client.get("/?filled")]
        page = found[-1]
        if page.status_code == 200:
            self.assertContains(page, CANARY)  # in its boxes, where it belongs
            self.assertNotIn(CANARY, page.content.decode().split("<main")[0])
        old = client.get("/", {"from_object_type": "contact", "from_object_id": CANARY})
        return [*found, old, client.get(f"/nowhere?from={CANARY}")]

    def test_nothing_is_told_to_the_pages_that_links_lead_to(self) -> None:
        page = self.client.get("/", {"from": CANARY}, follow=True)
        self.assertEqual(page["Referrer-Policy"], "same-origin")
