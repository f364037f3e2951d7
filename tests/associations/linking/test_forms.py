import re
from typing import Any

from django.http import QueryDict
from django.test import SimpleTestCase, tag
from django.utils import translation
from hypothesis import given
from hypothesis import strategies as st

from associations.finding.finder import Found, Hit, Why
from associations.form_fields import validation_error
from associations.gateway.object_types import TypeChoice, TypeChoices
from associations.hubspot.object_types import ObjectType, resolve
from associations.hubspot.record_references import PairReason, Reason, Side
from associations.hubspot.schemas import Record
from associations.linking.forms import AssociationForm, _offered_option
from associations.texts.references import SENTENCES
from tests.generated import ANY_TEXT, examples
from tests.support import LINK

UNKNOWN_TYPE = (
    "No object type called “{}” is known here. Choose one from the list, such as Contact or "
    "Company; a custom object goes by its id, such as 2-4001."
)
ITSELF = "A record cannot be linked to itself. Enter another record here."
NUL = "Null characters are not allowed."
IN_PORTAL = "https://app.hubspot.com/contacts/4242"
CONTACT, COMPANY = resolve("contact"), resolve("company")
NO_FROM_TYPE = "Choose the record's type."
WHICH = "Enter a name, an e-mail address, a domain, an id, or the record's address."


def form(**fields: str) -> AssociationForm:
    return AssociationForm(LINK | fields)


def pasted(text: str, **options: Any) -> AssociationForm:
    """The form with the text in its first id field, whose type is left empty."""
    fields = {"from_object_type": "", "from_object_id": text}
    return AssociationForm(LINK | fields, **options)


@tag("one_database")
class FormTestCase(SimpleTestCase):
    def assert_cleans_to(self, expected: dict[str, str], **fields: str) -> None:
        checked = form(**fields)
        self.assertEqual(checked.errors, {})
        self.assertEqual(checked.association(), checked.association() | expected)

    def assert_errors(self, expected: dict[str, list[str]], **fields: str) -> None:
        self.assertEqual(form(**fields).errors, expected)


class ValidTests(FormTestCase):
    def test_what_the_service_asks_for(self) -> None:
        self.assert_cleans_to(LINK | {"reason": "", "submit_token": ""})

    def test_types_clean_to_their_canonical_form(self) -> None:
        for typed, canonical in {
            "Contact": "contacts",
            " people ": "contacts",
            "0-1": "contacts",
            "LINE_ITEM": "0-8",
            "2-4001": "2-4001",
            "P_car": "p_car",
        }.items():
            with self.subTest(typed):
                self.assert_cleans_to({"from_object_type": canonical}, from_object_type=typed)
                other = {"to_object_type": canonical, "to_object_id": "1"}
                self.assert_cleans_to(other, **(other | {"to_object_type": typed}))

    def test_spaces_around_an_id_are_trimmed(self) -> None:
        self.assert_cleans_to({"from_object_id": "7"}, from_object_id=" 7\t")
        self.assert_cleans_to({"to_object_id": "9" * 20}, to_object_id="9" * 20 + "\n")

    def test_a_reason_becomes_one_line(self) -> None:
        for typed, reason in {
            "  Ticket   4711 ": "Ticket 4711",
            "one\r\ntwo\n\nthree\ttabs": "one two three tabs",
            " \n ": "",
            "x" * 500: "x" * 500,
            "€" * 500: "€" * 500,
        }.items():
            with self.subTest(typed):
                self.assert_cleans_to({"reason": reason}, reason=typed)

    def test_two_records_that_share_an_id_or_a_type(self) -> None:
        self.assert_cleans_to({}, to_object_id="501")
        self.assert_cleans_to({}, to_object_type="contacts")


class MessageTests(FormTestCase):
    def test_each_field_that_is_left_empty(self) -> None:
        messages = {"from_object_id": [WHICH], "to_object_id": [WHICH]}
        self.assertEqual(AssociationForm({}).errors, messages)
        self.assertEqual(AssociationForm(dict.fromkeys(LINK, " \t\n")).errors, messages)

    def test_an_unknown_type_is_quoted_shortened(self) -> None:
        for typed, quoted in {
            "foo": "foo",
            "%(text)s": "%(text)s",
            "x" * 41: "x" * 39 + "…",
        }.items():
            with self.subTest(typed):
                self.assert_errors(
                    {"to_object_type": [UNKNOWN_TYPE.format(quoted)]}, to_object_type=typed
                )

    def test_what_is_no_id(self) -> None:
        for typed, message in {
            "abc": "A record id has digits only, such as 501. It is the number at the end of the "
            "record's address in HubSpot.",
            "\u0665\u0660\u0661": "Write the id with the plain digits 0 to 9.",
            "0501": "A record id does not start with 0. Leave the zeros at the front out.",
            "1" * 21: "A record id has at most 20 digits; this one has 21.",
        }.items():
            for field in ("from_object_id", "to_object_id"):
                with self.subTest(typed, field=field):
                    self.assert_errors({field: [message]}, **{field: typed})

    def test_why_something_pasted_is_no_record(self) -> None:
        for typed, message in {
            "https://example.com/501": "This is not the address of a record in HubSpot. Those "
            "begin like https://app.hubspot.com/contacts/.",
            f"{IN_PORTAL}/objects/0-1/views/all/list": "This is the address of a list. Open the "
            "record and copy its own address.",
            f"{IN_PORTAL}/tasks/7": "This address is not that of a record. Those go on like "
            "…/contacts/4242/record/0-1/501, or end like …/contact/501 for a contact, company, "
            "deal or ticket.",
            "/contacts/999/contact/501": "This record is in the HubSpot account 999, but records "
            "are linked in the account 4242 here. Copy the address from there.",
            "foo 501": UNKNOWN_TYPE.format("foo"),
            f"{'x' * 41} 501": UNKNOWN_TYPE.format("x" * 39 + "…"),
            "%(text)s 501": UNKNOWN_TYPE.format("%(text)s"),
            "Contact": "“Contact” is a type. Enter the record's id, too, such as Contact 501.",
            "/contacts/4242/contact/" + "1" * 21: "A record id has at most 20 digits; this one "
            "has 21.",
        }.items():
            with self.subTest(typed):
                checked = pasted(typed, portal_id="4242")
                self.assertEqual(checked.errors["from_object_id"], [message])

    def test_each_reason_has_a_sentence_that_its_facts_fit_into(self) -> None:
        # What each room says in words of its own.
        own = {PairReason.REQUIRED, PairReason.NO_TYPE, PairReason.ANOTHER_TYPE}
        self.assertEqual({*SENTENCES}, {*Reason, *PairReason} - own)
        names = ["length", "limit", "portal", "expected", "text", "choices", "read", "chosen"]
        facts = dict.fromkeys(names, "x")
        for reason in {*Reason, *PairReason} - own:
            with self.subTest(reason):
                [sentence] = validation_error(reason, **facts).messages
                self.assertNotIn("%", sentence)
                self.assertTrue(sentence.endswith("."))

    def test_an_address_of_2001_characters(self) -> None:
        address = f"{IN_PORTAL}/contact/501?".ljust(2000, "x")
        self.assertEqual(pasted(address).errors, {})
        message = "Keep the address to 2000 characters; this has 2001."
        self.assertEqual(pasted(address + "x").errors, {"from_object_id": [message]})

    def test_a_reason_of_501_characters(self) -> None:
        message = "Keep the reason to 500 characters; this has 501."
        self.assert_errors({"reason": [message]}, reason="x" * 501)

    def test_nul_in_any_field(self) -> None:
        for name in (*LINK, "reason", "submit_token"):
            with self.subTest(name):
                self.assert_errors({name: [NUL]}, **{name: "5\0"})

    def test_a_record_and_itself_in_whatever_spelling(self) -> None:
        for one, other in (
            ("contacts", "contacts"),
            ("Contact", "0-1"),
            ("people", "CONTACTS"),
            ("line item", "LINE_ITEMS"),
            ("2-4001", " 2-4001 "),
            ("p_car", "P_car"),
        ):
            with self.subTest(one, other=other):
                self.assert_errors(
                    {"to_object_id": [ITSELF]},
                    from_object_type=one,
                    from_object_id="7",
                    to_object_type=other,
                    to_object_id=" 7 ",
                )

    def test_all_mistakes_are_told_at_once(self) -> None:
        checked = form(
            from_object_type="foo", from_object_id="x", to_object_id="", reason="x" * 501
        )
        mistaken = {"from_object_type", "from_object_id", "to_object_id", "reason"}
        self.assertEqual(set(checked.errors), mistaken)


class PastedTests(FormTestCase):
    def test_an_id_field_fills_in_the_type(self) -> None:
        for text in (f"{IN_PORTAL}/record/0-1/7/view/1?eschref=x", "contact 7", "0-1/7"):
            for side in ("from", "to"):
                expected = {f"{side}_object_type": "contacts", f"{side}_object_id": "7"}
                for typed in ("", "Contact", "people"):
                    fields = {f"{side}_object_type": typed, f"{side}_object_id": text}
                    with self.subTest(**fields):
                        self.assert_cleans_to(expected, **fields)

    def test_a_type_that_says_something_else(self) -> None:
        message = (
            "The record id names the type Contact, but the type here is Company. Leave one of them."
        )
        for side in ("from", "to"):
            with self.subTest(side):
                fields = {f"{side}_object_type": "0-2", f"{side}_object_id": "contact 7"}
                self.assert_errors({f"{side}_object_type": [message]}, **fields)

    def test_of_types_that_are_unsettled_nobody_says_that_they_are_the_same(self) -> None:
        fields = {"from_object_type": "Deal", "from_object_id": "contact 501"}
        checked = form(**fields, to_object_type="Contact", to_object_id="501")
        self.assertEqual(set(checked.errors), {"from_object_type"})

    def test_a_type_that_is_unknown_beside_an_address(self) -> None:
        fields = {"from_object_type": "foo", "from_object_id": f"{IN_PORTAL}/contact/501"}
        self.assert_errors({"from_object_type": [UNKNOWN_TYPE.format("foo")]}, **fields)

    def test_an_id_without_any_type(self) -> None:
        for text in ("501", "0501", "abc", "1,234", "5E+11", "12.5"):
            with self.subTest(text):
                self.assertEqual(pasted(text).errors["from_object_type"], [NO_FROM_TYPE])

    def test_no_type_is_asked_for_that_the_address_would_have_said(self) -> None:
        for text in (f"{IN_PORTAL}/tasks/7", "foo 501", "contact 501\0", "/" * 2001):
            with self.subTest(text):
                self.assertEqual(set(pasted(text).errors), {"from_object_id"})

    def test_a_record_and_itself_by_its_address(self) -> None:
        fields = {"to_object_type": "", "to_object_id": f"{IN_PORTAL}/contact/501"}
        self.assert_errors({"to_object_id": [ITSELF]}, **fields)

    def test_two_portals_are_no_pair_even_where_the_own_is_not_known(self) -> None:
        fields = {"from_object_id": "/contacts/4242/contact/1", "from_object_type": ""}
        fields |= {"to_object_id": "/contacts/999/company/2", "to_object_type": ""}
        [message] = validation_error(Reason.ANOTHER_PORTAL, portal="999", expected="4242").messages
        self.assert_errors({"to_object_id": [message]}, **fields)
        self.assert_cleans_to({}, **fields | {"to_object_id": "/contacts/4242/company/2"})

    def test_hosts_that_stand_for_hubspot(self) -> None:
        address = "http://127.0.0.1:8001/contacts/4242/contact/501"
        self.assertEqual(set(pasted(address).errors), {"from_object_id"})
        self.assertTrue(pasted(address, ui_hosts=["127.0.0.1:8001"]).is_valid())


class ChoicesTests(FormTestCase):
    VANS = [ObjectType(f"2-{n}", f"2-{n}", "Van", "Vans") for n in (1, 2)]
    TYPES = TypeChoices(
        [
            TypeChoice(CONTACT, "Kontakt"),
            TypeChoice(COMPANY, "Firma"),
            *(TypeChoice(each, "Van") for each in VANS),
        ]
    )

    def test_types_go_by_the_labels_given(self) -> None:
        fields = {"from_object_type": "Kontakt", "from_object_id": "1"}
        fields |= {"to_object_type": "", "to_object_id": "firma 2"}
        checked = AssociationForm(fields, types=self.TYPES)
        self.assertEqual(checked.errors, {})
        self.assertEqual(checked.cleaned_data["to_object_type"], COMPANY)
        self.assertIs(checked.types, self.TYPES)

    def test_a_conflict_is_told_by_the_labels_given(self) -> None:
        fields = LINK | {"from_object_id": "2-2/5", "from_object_type": "Kontakt"}
        [message] = AssociationForm(fields, types=self.TYPES).errors["from_object_type"]
        self.assertIn("names the type Van (2-2), but the type here is Kontakt.", message)

    def test_a_name_of_two_is_refused_with_both_in_either_field(self) -> None:
        message = (
            "Several object types are called “van” here. Write which one: Van (2-1), Van (2-2)."
        )
        by_type = AssociationForm(LINK | {"from_object_type": "van"}, types=self.TYPES)
        self.assertEqual(by_type.errors, {"from_object_type": [message]})
        self.assertEqual(pasted("van 501", types=self.TYPES).errors, {"from_object_id": [message]})

    def test_a_record_of_a_custom_object_and_itself(self) -> None:
        fields = {"from_object_type": "2-1", "from_object_id": "7"}
        fields |= {"to_object_type": "Van (2-1)", "to_object_id": "7"}
        checked = AssociationForm(fields, types=self.TYPES)
        self.assertEqual(checked.errors, {"to_object_id": [ITSELF]})

    def test_forms_do_not_share_them(self) -> None:
        AssociationForm(types=self.TYPES, portal_id="999", ui_hosts=["x.test"])
        self.assertEqual(set(pasted("Kontakt 1").errors), {"from_object_id"})
        self.assertTrue(pasted("/contacts/4242/contact/1").is_valid())
        self.assertFalse(pasted("http://x.test/contacts/4242/contact/1").is_valid())


class SidesTests(FormTestCase):
    EMPTY = Side(None, "")

    def assert_sides(self, checked: AssociationForm, one: Side, other: Side) -> None:
        for _ in range(2):
            self.assertEqual([side[:2] for side in checked.pair[:2]], [one[:2], other[:2]])
            checked.is_valid()

    def test_of_a_valid_form(self) -> None:
        self.assert_sides(form(), Side(CONTACT, "501"), Side(COMPANY, "902"))
        self.assert_sides(pasted("deal 7"), Side(resolve("deal"), "7"), Side(COMPANY, "902"))

    def test_of_an_empty_one(self) -> None:
        for empty in (AssociationForm({}), AssociationForm(), AssociationForm(QueryDict())):
            self.assert_sides(empty, self.EMPTY, self.EMPTY)

    def test_of_one_that_is_filled_in_but_not_sent(self) -> None:
        query = QueryDict("from_object_id=contact+501&to_object_type=0-2")
        self.assert_sides(AssociationForm.prefilled(query), Side(CONTACT, "501"), Side(COMPANY, ""))

    def test_whatever_is_wrong_with_the_other(self) -> None:
        for wrong in ("", "x", "0501", f"{IN_PORTAL}/tasks/7", "5\0"):
            with self.subTest(wrong):
                self.assert_sides(
                    form(from_object_id=wrong, reason="x" * 501),
                    Side(CONTACT, ""),
                    Side(COMPANY, "902"),
                )

    def test_even_of_a_record_and_itself(self) -> None:
        same = Side(CONTACT, "501")
        self.assert_sides(form(to_object_type="contact", to_object_id="501"), same, same)

    def test_what_was_pasted_goes_before_the_type_that_stood_there(self) -> None:
        for chosen in ("Company", "foo"):
            with self.subTest(chosen):
                one = form(from_object_type=chosen, from_object_id="contact 501")
                self.assert_sides(one, Side(CONTACT, "501"), Side(COMPANY, "902"))


class ChosenTests(FormTestCase):
    """A record that was chosen among those found, without script."""

    FIELDS = {"from_object_type": "", "from_object_id": "ada"}

    def test_it_counts_for_the_text_that_it_was_found_for(self) -> None:
        chosen = {"from_choice": "contacts 501", "from_choice_of": "ada"}
        self.assert_cleans_to(LINK, **self.FIELDS | chosen)

    def test_and_for_no_other(self) -> None:
        for chosen in (
            {"from_choice": "contacts 501", "from_choice_of": "adam"},
            {"from_choice": "contacts 501"},
            {"from_choice_of": "ada"},
        ):
            with self.subTest(chosen):
                self.assertFalse(form(**self.FIELDS | chosen).is_valid())

    def test_nor_for_another_type_that_was_chosen_since(self) -> None:
        chosen = {"from_choice": "contacts 501", "from_choice_of": "ada"}
        errors = form(**self.FIELDS | chosen | {"from_object_type": "Company"}).errors
        self.assertEqual(set(errors), {"from_object_type"})


class FoundTests(FormTestCase):
    def test_what_the_finder_says_stands_in_place_of_all_else_of_its_side(self) -> None:
        fields = LINK | {"from_object_type": "", "from_object_id": "ada"}
        hits = [Hit(CONTACT, Record("501", "Ada Byron")), Hit(CONTACT, Record("502", "Ada"))]
        found = {"from": Found(hits=hits, why=Why.CHOOSE)}
        errors = {"from_object_id": ["2 records are found. Choose one, or type more."]}
        self.assertEqual(AssociationForm(fields, found=found).errors, errors)
        looked_up = AssociationForm(fields, found=found, is_looked_up=True)
        self.assertEqual(looked_up.errors, {}, "nobody has sent it yet")

    def test_what_is_looked_up_may_be_empty(self) -> None:
        self.assertEqual(AssociationForm({}, is_looked_up=True).errors, {})


class TypeTests(FormTestCase):
    def html(self, posted: str, **options: Any) -> str:
        return str(
            AssociationForm(LINK | {"from_object_type": posted}, **options)["from_object_type"]
        )

    def test_any_type_comes_first_then_those_offered(self) -> None:
        offered = [TypeChoice(COMPANY, "Company"), TypeChoice(CONTACT, "Contact")]
        html = self.html("", offered=offered)
        values = re.findall(r'value="([^"]*)"', html)
        self.assertEqual(values, ["", "companies", "contacts"])

    def test_any_name_of_a_type_chooses_it(self) -> None:
        for name in ("Contact", "people", "0-1", " CONTACTS "):
            self.assertIn('<option value="contacts" selected>', self.html(name))

    def test_what_is_no_type_stays(self) -> None:
        self.assertIn('<option value="Compny" selected>Compny</option>', self.html("Compny"))
        self.assertIn('value="2-9" selected>2-9<', self.html("2-9"))


class RenderingTests(FormTestCase):
    def test_what_was_typed_is_kept(self) -> None:
        typed = {name: f" {name} <b> " for name in AssociationForm.TYPED_FIELDS}
        checked = form(**typed)
        self.assertFalse(checked.is_valid())
        for name, text in typed.items():
            with self.subTest(name):
                self.assertEqual(checked[name].value(), text)

    def test_what_was_typed_is_escaped(self) -> None:
        checked = form(from_object_type='"><script>')
        html = str(checked["from_object_type"]) + str(checked.errors)
        self.assertNotIn("<script>", html)
        self.assertIn("&lt;script&gt;", html)

    def test_every_field_that_people_see_has_a_label(self) -> None:
        for name in AssociationForm.TYPED_FIELDS:
            with self.subTest(name):
                field = form()[name]
                self.assertIn(f'for="{field.id_for_label}"', field.label_tag())
                self.assertIn(f'id="{field.id_for_label}"', str(field))

    def test_an_id_field_takes_addresses(self) -> None:
        for name in ("from_object_id", "to_object_id"):
            html = str(form()[name])
            for attribute in ('autocapitalize="off"', 'spellcheck="false"'):
                with self.subTest(name, attribute=attribute):
                    self.assertIn(attribute, html)
            self.assertNotIn("inputmode", html)
            self.assertNotIn("maxlength", html)  # the browser would cut it without a word
            self.assertNotIn("autocomplete", html)  # Back would bring it back empty
            self.assertIn("paste the address", form()[name].help_text)

    def test_no_browser_fills_in_an_old_token(self) -> None:
        self.assertIn('autocomplete="off"', str(form()["submit_token"]))

    def test_the_token_is_hidden(self) -> None:
        self.assertEqual([field.name for field in form().hidden_fields()], ["submit_token"])


class TypeSelectTests(FormTestCase):
    def shown(self, chosen: str) -> str:
        return str(AssociationForm.prefilled({"from_object_type": chosen})["from_object_type"])

    def test_what_is_chosen_by_whatever_name(self) -> None:
        for text in ("contacts", "Contact", " people ", "0-1"):
            told = re.findall(r'<option value="(.*?)" selected>(.*?)</option>', self.shown(text))
            self.assertEqual(told, [("contacts", "Contact")])

    def test_another_text_stays_on_this_page_alone(self) -> None:
        last = '<option value="&lt;b&gt; &quot;" selected>&lt;b&gt; &quot;</option>\n</select>'
        self.assertTrue(self.shown('<b> "').endswith(last))
        self.assertNotIn("&lt;b&gt;", self.shown("contacts"))
        kept = _offered_option.cache_info().currsize
        self.shown("somebody's@example.com")
        self.assertEqual(_offered_option.cache_info().currsize, kept)

    def test_in_the_readers_language(self) -> None:
        english = self.shown("contacts")
        with translation.override("ja"):
            self.assertNotIn(">Contact<", self.shown("contacts"))
        self.assertEqual(self.shown("contacts"), english)


class PrefilledTests(FormTestCase):
    def test_from_an_address_unchecked_and_with_a_fresh_token(self) -> None:
        query = QueryDict("from_object_type=foo&reason=why&submit_token=old&else=1")
        one, other = AssociationForm.prefilled(query), AssociationForm.prefilled(query)
        self.assertFalse(one.is_bound)
        self.assertEqual(one["from_object_type"].value(), "foo")
        self.assertEqual(one["reason"].value(), "why")
        self.assertIsNone(one["to_object_id"].value())
        self.assertNotIn(one["submit_token"].value(), ("old", other["submit_token"].value()))

    def test_with_what_else_a_form_has_to_know(self) -> None:
        prefilled = AssociationForm.prefilled(QueryDict(), "token", types=ChoicesTests.TYPES)
        self.assertIs(prefilled.types, ChoicesTests.TYPES)
        self.assertEqual(prefilled["submit_token"].value(), "token")

    def test_its_token_is_accepted_when_it_comes_back(self) -> None:
        token = AssociationForm.prefilled(QueryDict())["submit_token"].value()
        self.assert_cleans_to({"submit_token": token}, submit_token=token)


@tag("long")
class AnythingTests(FormTestCase):
    FIELDS = st.dictionaries(
        st.sampled_from([*LINK, "reason", "submit_token"]),
        ANY_TEXT | st.from_regex(r"\s*\d+\s*") | st.sampled_from(["0-1", "contacts", "2-1"]),
    )

    @examples(150)
    @given(FIELDS)
    def test_is_checked_and_shown_without_an_exception(self, fields: dict[str, str]) -> None:
        checked = form(**fields)
        if checked.is_valid():
            for name, text in checked.association().items():
                self.assertNotIn("\0", text, name)
        self.assertTrue(checked.as_p())
        self.assertEqual(len(checked.pair), 3)
