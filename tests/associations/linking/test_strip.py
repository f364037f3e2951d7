"""The strip above the form: what was linked just now, and what the form keeps of it."""

from unittest import mock

from django.http import HttpResponse

from associations.finding import names
from associations.hubspot.schemas import Record
from associations.models import AssociationRequest
from tests.associations.linking.base import PageTestCase, entry_of
from tests.support import LINK, person

PENDING = {"method": "PUT", "status": 202, "body": {"status": "PENDING"}}


class StripTestCase(PageTestCase):
    def link(self, **fields: str) -> HttpResponse:
        return self.client.post("/", LINK | {"reason": "SUP-7", "submit_token": "t"} | fields)

    def strip(self, page: HttpResponse) -> str:
        """The text of the strip."""
        _, mark, rest = page.content.decode().partition('role="status">')
        return rest.split("</div>")[0] if mark else ""


class AfterALinkTests(StripTestCase):
    def test_one_stays_on_the_form_which_says_what_was_linked(self) -> None:
        answer = self.link()
        entry = AssociationRequest.objects.get()
        self.assertRedirects(answer, f"/?linked={entry.pk}")
        page = self.client.get(answer.url)
        strip = self.strip(page)
        for words in ("Linked", "seen in HubSpot", "Contact 501", "Company 902", "keep"):
            self.assertIn(words, strip)
        self.assertIn(entry.get_absolute_url(), strip)
        self.assertIn("https://app.hubspot.com/contacts/4242/record/0-1/501", strip)
        self.assertContains(page, "<title>Contact 501 is now linked to Company 902.")

    def test_the_form_is_empty_but_for_the_reason(self) -> None:
        form = self.client.get(self.link().url).context["form"]
        values = {name: form[name].value() for name in form.TYPED_FIELDS if form[name].value()}
        self.assertEqual(values, {"reason": "SUP-7"})
        self.assertIn("autofocus", str(form["from_object_id"]))
        self.assertIn("Kept for the next one", form["reason"].help_text)
        self.assertNotEqual(form["submit_token"].value(), "t")

    def test_either_side_can_be_kept_and_the_other_has_the_focus(self) -> None:
        address = self.link().url
        for side, other, number in (("from", "to", "501"), ("to", "from", "902")):
            form = self.client.get(f"{address}&keep={side}").context["form"]
            self.assertEqual(form[f"{side}_object_id"].value(), number)
            self.assertFalse(form[f"{other}_object_id"].value())
            self.assertIn("autofocus", str(form[f"{other}_object_id"]))
            self.assertEqual(form["reason"].value(), "SUP-7")

    def test_a_reload_shows_it_again_and_sends_nothing(self) -> None:
        address = self.link().url
        for _ in range(2):
            self.assertIn("Linked", self.strip(self.client.get(address)))
        self.assertEqual((len(self.puts()), AssociationRequest.objects.count()), (1, 1))

    def test_the_same_submit_once_more_leads_to_the_entry(self) -> None:
        self.link()
        entry = AssociationRequest.objects.get()
        self.assertRedirects(self.link(), f"{entry.get_absolute_url()}?repeated")
        self.assertEqual(len(self.puts()), 1)

    def test_what_is_not_linked_leads_to_its_own_page(self) -> None:
        for fault in (
            PENDING,
            {"method": "PUT", "status": 404},
            {"method": "PUT", "reset": "after"},
        ):
            with self.subTest(fault):
                self.sandbox.fault(**fault, times=3)
                answer = self.link(submit_token=str(fault))
                entry = AssociationRequest.objects.latest("pk")
                self.assertRedirects(answer, entry.get_absolute_url())
                self.sandbox.reset()


class WhatItSaysTests(StripTestCase):
    def test_that_it_was_linked_before(self) -> None:
        self.link()
        self.assertIn(
            "linked before already", self.strip(self.client.get(self.link(reason="").url))
        )

    def test_that_the_link_was_not_seen(self) -> None:
        entry = entry_of(self.user, verified=False)
        strip = self.strip(self.client.get(f"/?linked={entry.pk}"))
        self.assertNotIn("seen in HubSpot", strip)
        self.assertIn("The link was not there when it was looked up", strip)

    def test_into_what_a_record_was_merged(self) -> None:
        entry = entry_of(self.user, verified=True, from_merged_into="599")
        strip = self.strip(self.client.get(f"/?linked={entry.pk}"))
        self.assertIn("Contact 501 was merged into 599", strip)


class WhoseTests(StripTestCase):
    def test_there_is_none_of_others_or_of_what_is_not_linked(self) -> None:
        other = entry_of(person("other", "support"))
        refused = entry_of(self.user, outcome="rejected", cause="record_not_found")
        for key in (other.pk, refused.pk, 10**17, "x", "", f"{other.pk}-x", "9" * 30, "\0", "٣"):
            with self.subTest(key):
                page = self.client.get("/", {"linked": key})
                self.assertEqual((page.status_code, self.strip(page)), (200, ""))
        self.assertIn("Linked", self.strip(self.as_admin.get(f"/?linked={other.pk}")))

    def test_several_are_told_together_with_a_link_to_all(self) -> None:
        pks = [entry_of(self.user, to_object_id=str(902 + n), verified=True).pk for n in range(3)]
        key = "-".join(map(str, pks))
        strip = self.strip(self.client.get(f"/?linked={key}"))
        for words in ("3 linked", "seen in HubSpot", "and 2 more", f"/requests/together/{key}/"):
            self.assertIn(words, strip)
        kept = self.client.get(f"/?linked={key}&keep=to").context["form"]
        self.assertFalse(kept["to_object_id"].value())


class NameTests(StripTestCase):
    """Names come in a part of the page of its own, or at once where they are known."""

    def latest(self, page: HttpResponse) -> str:
        return page.content.decode().split('id="latest"')[1].split("</aside>")[0]

    def names_asked(self) -> int:
        paths = [request["path"] for request in self.sandbox.requests]
        return sum(
            path.endswith(("contacts/batch/read", "companies/batch/read")) and "/objects/" in path
            for path in paths
        )

    def test_ids_first_then_names_then_names_at_once(self) -> None:
        address = self.link().url
        page = self.client.get(address)
        self.assertIn("Contact 501 →", self.latest(page))
        key = address.partition("?")[2]
        self.assertIn(f'hx-get="/latest/?{key}"', self.latest(page))
        part = self.client.get(f"/latest/?{key}", headers={"hx-request": "true"})
        self.assertContains(part, "Ada Byron", count=4)
        self.assertContains(part, 'hx-swap-oob="innerHTML:#linked"')
        self.assertContains(part, "keep <bdi>Analytical Ltd</bdi>")
        self.assertNotContains(part, "hx-get")
        self.assertEqual(self.names_asked(), 2)
        page = self.client.get(address)
        self.assertNotIn("hx-get", self.latest(page))
        self.assertIn("Ada Byron", self.latest(page))
        self.assertIn("Ada Byron", self.strip(page))
        self.assertEqual(self.names_asked(), 2)

    def test_what_was_seen_before_linking_is_known_at_once(self) -> None:
        self.client.post("/preview/", LINK, headers={"hx-request": "true"})
        page = self.client.get(self.link().url)
        self.assertIn("Ada Byron", self.strip(page))
        self.assertIn("keep <bdi>Analytical Ltd", self.strip(page))
        self.assertNotIn("hx-get", self.latest(page))

    def test_a_name_is_only_text(self) -> None:
        entry = entry_of(self.user)
        names.remember("contacts", Record("501", "<b>Ada</b> & Co"))
        names.remember("companies", Record("902", "x\u202ey"))
        strip = self.strip(self.client.get(f"/?linked={entry.pk}"))
        self.assertEqual(strip.count("&lt;b&gt;Ada&lt;/b&gt; &amp; Co"), 2)
        self.assertIn("⟨U+202E⟩", strip)

    def test_one_call_a_type_however_many_entries(self) -> None:
        for number in range(6):
            entry_of(self.user, from_object_id=str(501 + number), to_object_id=str(902 + number))
        self.client.get("/latest/")
        self.assertEqual(self.names_asked(), 2)

    def test_hubspot_away_leaves_the_ids(self) -> None:
        entry_of(self.user)
        self.sandbox.fault(method="POST", status=503, times=None)
        self.assertContains(self.client.get("/latest/"), "Contact 501 →")
        self.sandbox.reset()

    def test_a_person_has_so_many_looks_and_no_more(self) -> None:
        entry_of(self.user)
        with mock.patch("associations.gateway.rate_limiter.LOOKS", 0):
            part = self.client.get("/latest/")
        self.assertContains(part, "Contact 501 →")
        self.assertNotContains(part, "Ada Byron")

    def test_what_failed_says_why_in_a_few_words_and_can_be_corrected(self) -> None:
        said = {"message": "No.", "context": {"INVALID_OBJECT_IDS": ["COMPANY=999 is not valid"]}}
        missing = {"outcome": "rejected", "cause": "record_not_found", "errors": [said]}
        for cause, errors, words in (
            ("record_not_found", [said], "no such company"),
            ("record_not_found", [], "no such record"),
            ("no_default_type", [], "no default type"),
        ):
            fields = missing | {"cause": cause, "errors": errors, "to_object_id": "999"}
            entry_of(self.user, **fields, reason="SUP-9")
            latest = self.latest(self.client.get("/"))
            self.assertIn(words, latest)
            self.assertIn("correct it", latest)
            self.assertIn("SUP-9", latest)

    def test_a_linked_one_can_be_used_again(self) -> None:
        entry_of(self.user)
        latest = self.latest(self.client.get("/"))
        self.assertIn("use again", latest)
        self.assertNotIn("correct it", latest)
