"""What is found for the text of a box, as the form's script and people without script get it."""

import re
from unittest import mock

from django.http import HttpResponse

from associations.audit.recorder import LogUnavailableError
from associations.finding import finder
from associations.finding.finder import Found, Why
from associations.finding.texts import sentence_of
from associations.gateway import rate_limiter
from associations.hubspot.object_types import resolve
from associations.hubspot.record_references import PairReason, Reason
from associations.models import AssociationRequest
from tests.associations.linking.base import PageTestCase, entry_of
from tests.support import SignedInClient, security_events

HTMX = {"HX-Request": "true"}
EMPTY = {"from_object_type": "", "from_object_id": "", "to_object_type": "", "to_object_id": ""}
LIST_PAGE = "https://app.hubspot.com/contacts/4242/objects/0-1/views/all/list"


WAY_OUT = "is enough to link it"


class BoxTestCase(PageTestCase):
    def find(self, text: str, side: str = "from", **fields: str) -> HttpResponse:
        posted = EMPTY | {"side": side, f"{side}_object_id": text} | fields
        return self.client.post("/find/", posted, headers=HTMX)

    def shown(self, text: str, side: str = "from", **fields: str) -> str:
        return " ".join(self.find(text, side, **fields).content.decode().split())


class FoundTests(BoxTestCase):
    def test_an_exact_key_is_one_option_that_is_marked(self) -> None:
        address = "https://app.hubspot.com/contacts/4242/record/0-1/501"
        for text in ("ada@example.com", "contact 501", "0-1/501", address):
            with self.subTest(text):
                page = self.shown(text)
                self.assertEqual(page.count('role="option"'), 1)
                self.assertIn('data-exact data-type="contacts" data-id="501"', page)
                self.assertIn("Ada Byron, Contact 501. Enter or Tab takes it.", page)

    def test_a_name_is_a_list_of_which_none_is_marked(self) -> None:
        page = self.shown("Ada Byron")
        self.assertIn('data-type="contacts" data-id="501"', page)
        self.assertNotIn("data-exact", page)
        self.assertRegex(page, "found. Choose (it|one), or type more.")
        self.assertLessEqual(page.count('data-id="'), 8)

    def test_the_last_ones_narrow_it_to_another_type(self) -> None:
        page = self.shown("Ada Byron")
        self.assertIn('data-narrow="companies"', page)
        self.assertIn("Search Companies only <kbd>↵ company:</kbd>", page)
        self.assertNotIn('data-narrow="contacts"', page, "no others were searched")

    def test_what_the_person_linked_lately_says_so(self) -> None:
        entry_of(self.user)
        self.assertIn("linked by you", self.shown("Ada Byron"))

    def test_the_type_beside_the_box_narrows(self) -> None:
        self.assertIn('data-type="companies"', self.shown("Byron", from_object_type="Company"))
        self.assertIn('data-type="companies"', self.shown("company: Byron"))

    def test_a_record_of_the_other_type_may_be_taken_or_swapped(self) -> None:
        page = self.shown("902", from_object_type="contacts")
        self.assertIn("The record with this id is of another type: Company 902.", page)
        self.assertIn('data-type="companies" data-id="902"', page)
        self.assertIn("Swap: Company 902 belongs on the other side", page)

    def test_one_that_was_merged_keeps_the_id_that_was_asked_for(self) -> None:
        self.sandbox.merge("companies", "902", "9902")
        page = self.shown("company 902", "to")
        self.assertIn('data-id="902"', page)

    def test_why_there_is_none(self) -> None:
        for text, words in {
            "": "Enter a name, an e-mail address",
            "contact 999999": "HubSpot has no record “Contact 999999”.",
            "Zzyzx Nobody": "HubSpot needs up to a minute for new records",
            LIST_PAGE: "This is the address of a list.",
            LIST_PAGE.replace("4242", "777"): "This is the address of a list.",
            "/contacts/777/contact/501": "This record is in the HubSpot account 777",
        }.items():
            with self.subTest(text):
                page = self.shown(text)
                self.assertIn(words, page)
                self.assertNotIn("data-id", page)

    def test_no_way_out_is_promised_where_nothing_could_be_linked_either(self) -> None:
        daily = {"policyName": "DAILY", "message": "You have reached your daily limit."}
        for fault in ({"status": 401}, {"status": 302}, {"status": 429, "body": daily}):
            with self.subTest(fault=fault):
                self.sandbox.reset()
                self.sandbox.fault(method="POST", times=None, **fault)
                shown = self.shown(f"Ada {fault['status']}")
                self.assertIn("HubSpot", shown)
                self.assertNotIn(WAY_OUT, shown)

    def test_what_is_found_is_escaped(self) -> None:
        body = {"results": [{"id": "501", "properties": {"firstname": "<script>"}}]}
        path = "objects/contacts/batch/read"
        self.sandbox.fault(method="POST", path=path, status=200, body=body)
        page = self.shown("contact 501")
        self.assertIn("&lt;script&gt;", page)
        self.assertNotIn("<script>", page)

    def test_a_hubspot_that_is_away_takes_ids_all_the_same(self) -> None:
        with self.settings(HUBSPOT_API_BASE_URL="http://127.0.0.1:9"):
            page = self.shown("contact 501")
            self.assertIn("HubSpot could not be reached.", page)
            self.assertIn('data-exact data-type="contacts" data-id="501"', page)
            self.assertIn(WAY_OUT, self.shown("Ada"))


class AskingTests(BoxTestCase):
    def test_the_words_stand_in_no_address_and_no_event(self) -> None:
        self.find("canary@example.com")
        (event,) = (each for each in security_events() if "records_searched" in str(each))
        self.assertNotIn("canary", str(event))
        self.assertEqual(self.client.get("/find/?side=from&from_object_id=x").status_code, 405)

    def test_without_script_it_is_the_form(self) -> None:
        answer = self.client.post("/find/", EMPTY | {"side": "from", "from_object_id": "Ada Byron"})
        self.assertContains(answer, 'type="radio"', status_code=422)

    def test_a_side_that_there_is_not(self) -> None:
        self.assertEqual(self.find("501", "neither").status_code, 422)

    def test_who_is_signed_out_finds_what_they_typed_again(self) -> None:
        client = SignedInClient()
        posted = EMPTY | {"side": "from", "from_object_id": "Ada", "reason": "SUP-7"}
        answer = client.post("/find/", posted, headers=HTMX)
        self.assertEqual((answer.status_code, answer["HX-Redirect"]), (401, "/"))
        client.sign_in(self.user)
        for value in ("Ada", "SUP-7"):
            self.assertContains(client.get("/"), f'value="{value}"')

    def test_a_page_that_is_too_old_is_loaded_anew_with_what_was_typed(self) -> None:
        client = SignedInClient(self.user, enforce_csrf_checks=True)
        posted = EMPTY | {"side": "from", "from_object_id": "Ada"}
        with self.assertLogs("hubadmin.web.views", "WARNING"):
            answer = client.post("/find/", posted, headers=HTMX)
        self.assertEqual((answer.status_code, answer["HX-Redirect"]), (403, "/"))
        self.assertContains(client.get("/"), 'value="Ada"')

    def test_nobody_looks_without_end(self) -> None:
        self.enterContext(mock.patch.object(rate_limiter, "LOOKS", 1))
        self.addCleanup(rate_limiter.close)
        self.shown("contact 501")
        page = self.shown("contact 502")
        self.assertRegex(page, r"This site looks up more in \d+ seconds. Contact 502. Enter or Tab")

    def test_a_search_that_cannot_be_logged_shows_nothing(self) -> None:
        unavailable = LogUnavailableError("the disk is full")
        with mock.patch.object(finder.Question, "log", side_effect=unavailable):
            page = self.shown("Ada Byron")
        self.assertIn("so nothing was looked for", page)
        self.assertNotIn("501", page)


class WithoutScriptTests(BoxTestCase):
    def submit(self, **fields: str) -> HttpResponse:
        return self.client.post("/", EMPTY | {"submit_token": "t"} | fields)

    def entries(self) -> int:
        return AssociationRequest.objects.count()

    def test_find_shows_what_could_be_meant_and_sends_nothing(self) -> None:
        answer = self.submit(check="1", from_object_id="Ada Byron", to_object_id="company 902")
        self.assertContains(answer, 'name="from_choice" value="contacts 501"')
        self.assertContains(answer, 'name="from_choice_of" value="Ada Byron"')
        self.assertContains(answer, "Analytical Ltd")
        self.assertNotContains(answer, "Nothing was sent yet. Check")
        self.assertEqual((self.entries(), self.puts()), (0, []))

    def test_one_side_may_be_empty_when_one_finds(self) -> None:
        answer = self.submit(check="1", from_object_id="Ada Byron")
        self.assertContains(answer, 'name="from_choice"')
        self.assertNotContains(answer, "field-error")

    def test_to_link_words_asks_which_record_is_meant(self) -> None:
        answer = self.submit(from_object_id="Ada Byron", to_object_id="company 902")
        self.assertContains(answer, 'name="from_choice" value="contacts 501"', status_code=422)
        self.assertContains(answer, 'value="Ada Byron"', status_code=422)
        self.assertContains(answer, 'href="#id_from_object_id">This record: ', status_code=422)
        self.assertEqual((self.entries(), self.puts()), (0, []))

    def test_to_choose_one_links_it(self) -> None:
        self.submit(
            from_object_id="Ada Byron",
            from_choice_of="Ada Byron",
            from_choice="contacts 501",
            to_object_id="company 902",
        )
        entry = AssociationRequest.objects.get()
        self.assertEqual((entry.from_object_type, entry.from_object_id), ("contacts", "501"))
        self.assertEqual((entry.to_object_type, entry.to_object_id), ("companies", "902"))

    def test_a_choice_stays_while_the_other_side_is_wrong(self) -> None:
        choice = {"from_choice_of": "Ada Byron", "from_choice": "contacts 501"}
        answer = self.submit(from_object_id="Ada Byron", to_object_id=LIST_PAGE, **choice)
        self.assertContains(answer, 'value="501"', status_code=422)
        self.assertContains(answer, '<option value="contacts" selected>', status_code=422)

    def test_an_exact_key_is_filled_in_to_be_looked_at_before_it_is_sent(self) -> None:
        answer = self.submit(from_object_id="ada@example.com", to_object_id="company 902")
        self.assertContains(answer, "Nothing was sent yet.")
        self.assertContains(answer, 'value="501"')
        for text in ("Ada Byron", "Analytical Ltd", "They are not linked yet."):
            self.assertContains(answer, text)
        self.assertEqual((self.entries(), self.puts()), (0, []))

    def test_what_is_changed_below_a_button_with_names_is_not_sent_unseen(self) -> None:
        page = self.submit(from_object_id="contact 501", to_object_id="company 902", check="1")
        named = "contacts/501 companies/902"
        self.assertContains(page, f'name="named" value="{named}"')
        changed = {"from_object_id": "contact 503", "to_object_id": "company 902", "named": named}
        for fields in ({}, {"from_object_id": "contact 501", "also": "company 903"}):
            with self.subTest(fields):
                self.assertContains(self.submit(**changed | fields), "Nothing was sent yet.")
        self.assertEqual(self.entries(), 0)
        self.submit(**changed | {"named": "contacts/503 companies/902"})
        self.assertEqual(self.entries(), 1)

    def test_no_two_errors_of_the_summary_say_the_same(self) -> None:
        page = self.submit().content.decode()
        links = re.findall(r'<li><a\s+href="#[^"]+">([^<]+)</a>', page)
        self.assertEqual(len(links), 2)
        self.assertEqual(len({*links}), 2)
        self.assertTrue(links[0].startswith("This record: "))
        self.assertTrue(links[1].startswith("belongs to: "))

    def test_what_is_typed_is_found_again_whatever_it_is(self) -> None:
        for text in ("x" * 3000, "\u202e902", "%(label)s", "{count}", "<b>", "\0", "company:"):
            with self.subTest(text[:10]):
                answer = self.submit(from_object_id=text, to_object_id=text)
                self.assertIn(answer.status_code, (200, 422))
                self.assertEqual(self.puts(), [])


class SentenceTests(PageTestCase):
    def test_each_why_has_a_whole_sentence(self) -> None:
        facts = dict.fromkeys(
            ["length", "limit", "portal", "expected", "text", "choices", "domain"], "x"
        ) | {"object_type": "contacts", "object_id": "501", "seconds": 3, "total": 9}
        facts |= {"read": "contacts", "chosen": "companies"}
        for why in (*Why, *Reason, *PairReason):
            for searched in ([], [resolve("contacts")]):
                with self.subTest(why):
                    text = sentence_of(Found(why=why, facts=facts, searched=searched))
                    self.assertNotRegex(text, r"%|\{|\}")
                    self.assertTrue(text.endswith("."))
