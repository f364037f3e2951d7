"""No way leads to a record in HubSpot that HubSpot has just said it lacks."""

from datetime import timedelta
from typing import Any

from django.utils import timezone

from associations.models import AssociationRequest
from tests.associations.linking.base import PageTestCase, entry_of


def context(*records: str) -> list[dict[str, Any]]:
    return [{"context": {"INVALID_OBJECT_IDS": [f"{each} is not valid" for each in records]}}]


class MissingTests(PageTestCase):
    FROM, TO = "/record/0-3/383", "/record/0-5/777"

    def entry(self, errors: Any, cause: str = "record_not_found", **fields: Any) -> Any:
        pair = {"from_object_type": "deals", "from_object_id": "383"}
        pair |= {"to_object_type": "tickets", "to_object_id": "777"}
        values = pair | {"outcome": "rejected", "cause": cause, "errors": errors} | fields
        return entry_of(self.user, **values)

    def links(self, address: str) -> tuple[bool, bool]:
        page = self.as_admin.get(address).content.decode()
        return self.FROM in page, self.TO in page

    def test_an_entry_leads_to_those_alone_that_may_be_there(self) -> None:
        for errors, shown in (
            (context("DEAL=383"), (False, True)),
            (context("TICKET=777"), (True, False)),
            (context("DEAL=383", "TICKET=777"), (False, False)),
            ([{"message": "Object with id 777 does not exist."}], (True, False)),
            ([], (True, True)),
        ):
            with self.subTest(errors):
                self.assertEqual(self.links(self.entry(errors).get_absolute_url()), shown)

    def test_of_two_with_one_id_the_type_tells_which(self) -> None:
        entry = self.entry(context("TICKET=383"), to_object_id="383")
        self.assertEqual(self.links(entry.get_absolute_url()), (True, False))
        page = self.as_admin.get(entry.get_absolute_url())
        self.assertNotContains(page, "/record/0-5/383")

    def test_another_end_that_names_an_id_says_nothing_of_it(self) -> None:
        for cause in ("association_limit", "refused", "timed_out", "confirmed"):
            entry = self.entry(context("DEAL=383"), cause)
            self.assertEqual(self.links(entry.get_absolute_url()), (True, True), cause)

    def test_the_log_of_a_record_by_its_newest_entry(self) -> None:
        address = "/audit/records/deals/383/"
        long_ago = timezone.now() - timedelta(days=9)
        self.entry([], "confirmed", outcome="linked", created_at=long_ago)
        self.assertEqual(self.links(address)[0], True)
        self.entry(context("DEAL=383"), created_at=long_ago + timedelta(days=1))
        self.assertEqual(self.links(address)[0], False)
        self.assertEqual(self.links("/audit/records/tickets/777/")[1], True)
        self.entry(context("TICKET=777"), created_at=long_ago + timedelta(days=2))
        self.assertEqual(self.links("/audit/records/tickets/777/")[1], False)
        self.assertEqual(self.links(address)[0], True)
        self.assertEqual(AssociationRequest.objects.count(), 3)

    def test_what_is_looked_up_now(self) -> None:
        entry = entry_of(self.user, from_object_id="77777")
        fields = {"from_object_type": "Contact", "from_object_id": "77777"}
        for ask, address in (
            (self.as_admin.post, "/preview/"),
            (self.as_admin.get, f"{entry.get_absolute_url()}records/"),
        ):
            part = ask(address, fields, headers={"HX-Request": "true"})
            self.assertContains(part, "Contact 77777")
            self.assertNotContains(part, "/record/0-1/77777")
