"""Refusals without a word of HubSpot's: no page says to read what is not there."""

from typing import Any

from django.test import override_settings, tag

from associations.models import AssociationRequest
from tests.associations.linking.base import PageTestCase, entry_of

STATUSES = (302, 400, 401, 403, 404, 405, 409, 410, 422, 423, 429, 477, 500, 502, 503)
WORDLESS: dict[str, Any] = {
    "empty": "",
    "HTML": "<html><title>404</title><p>read HubSpot's words",
    "null": "null",
    "an object": {},
    "a list": [],
    "codes only": {"status": "error", "category": "OBJECT", "correlationId": "1-2"},
    "empty words": {"message": "", "errors": [{"message": None}, {}]},
}
WORDS: dict[str, Any] = {
    "a message": {"message": "No such thing here."},
    "one within": {"category": "X", "errors": [{"errors": [{"message": "No such thing here."}]}]},
    "a text": {"errors": ["No such thing here."]},
}
READ = "Read HubSpot&#x27;s words below."


@override_settings(HUBSPOT_VERIFY=False)
@tag("one_database")
class WordlessTests(PageTestCase):
    def page(self, status: int, body: Any) -> str:
        kind = "text/html" if isinstance(body, str) else "application/json"
        self.sandbox.reset()
        at_once = {"Retry-After": "0"}  # with a 423 it else takes two seconds
        told = {"status": status, "body": body, "content_type": kind, "headers": at_once}
        self.sandbox.fault(method="PUT", times=3, **told)
        fields = {"from_object_type": "Contact", "from_object_id": "501"}
        fields |= {"to_object_type": "Company", "to_object_id": "902"}
        return self.client.post("/", fields, follow=True).content.decode()

    def test_nobody_is_sent_to_words_that_are_not_there(self) -> None:
        for name, body in WORDLESS.items():
            for status in STATUSES:
                with self.subTest(name, status=status):
                    page = self.page(status, body)
                    self.assertNotIn(READ, page)
                    if AssociationRequest.objects.latest("pk").cause == "refused":
                        self.assertIn("HubSpot gave no reason.", page)

    def test_but_to_those_that_are(self) -> None:
        for name, body in WORDS.items():
            for status in (400, 404, 409):
                with self.subTest(name, status=status):
                    page = self.page(status, body)
                    self.assertIn(READ, page)
                    self.assertIn("What HubSpot said", page)
                    self.assertNotIn("HubSpot gave no reason.", page)
                    self.assertIn("No such thing here.", page)

    def test_nor_is_what_this_site_says_quoted_as_hubspots(self) -> None:
        for status, body in ((404, ""), (409, "<p>"), (400, {})):
            self.setUp()
            self.sandbox.fault(method="POST", status=status, body=body, times=None)
            fields = {"from_object_type": "Contact", "from_object_id": "501"}
            page = self.client.post("/preview/", fields, headers={"HX-Request": "true"})
            with self.subTest(status):
                self.assertContains(page, f"HTTP {status} without a message")
                self.assertNotContains(page, "“")

    def test_nor_of_an_entry_whose_errors_are_odd(self) -> None:
        for errors in (
            [],
            [None],
            [1],
            [{}],
            [{"message": {}}],
            ["", {"errors": {"message": ""}}],
        ):
            entry = entry_of(self.user, outcome="rejected", cause="refused", errors=errors)
            with self.subTest(errors):
                self.assertNotContains(self.client.get(entry.get_absolute_url()), READ)
