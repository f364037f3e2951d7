from django.http import QueryDict
from django.test import SimpleTestCase
from hypothesis import given
from hypothesis import strategies as st

from associations.forms import AssociationForm
from tests.generated import ANY_TEXT, examples
from tests.support import LINK

UNKNOWN_TYPE = (
    "No object type called “{}” is known here. Choose one from the list, such as Contact or "
    "Company; a custom object goes by its id, such as 2-4001."
)
ITSELF = "A record cannot be linked to itself. Enter another record here."
NUL = "Null characters are not allowed."


def form(**fields: str) -> AssociationForm:
    return AssociationForm(LINK | fields)


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
        messages = {
            "from_object_type": ["Choose the type of the first record."],
            "from_object_id": ["Enter the id of the first record."],
            "to_object_type": ["Choose the type of the second record."],
            "to_object_id": ["Enter the id of the second record."],
        }
        self.assertEqual(AssociationForm({}).errors, messages)
        self.assertEqual(AssociationForm(dict.fromkeys(messages, " \t\n")).errors, messages)

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
            "\uff15\uff10\uff11": "Write the id with the plain digits 0 to 9.",
            "0501": "A record id does not start with 0. Leave the zeros at the front out.",
            "1" * 21: "A record id has at most 20 digits; this one has 21.",
        }.items():
            for field in ("from_object_id", "to_object_id"):
                with self.subTest(typed, field=field):
                    self.assert_errors({field: [message]}, **{field: typed})

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

    def test_no_browser_fills_in_an_old_token(self) -> None:
        self.assertIn('autocomplete="off"', str(form()["submit_token"]))

    def test_the_token_is_hidden(self) -> None:
        self.assertEqual([field.name for field in form().hidden_fields()], ["submit_token"])


class PrefilledTests(FormTestCase):
    def test_from_an_address_unchecked_and_with_a_fresh_token(self) -> None:
        query = QueryDict("from_object_type=foo&reason=why&submit_token=old&else=1")
        one, other = AssociationForm.prefilled(query), AssociationForm.prefilled(query)
        self.assertFalse(one.is_bound)
        self.assertEqual(one["from_object_type"].value(), "foo")
        self.assertEqual(one["reason"].value(), "why")
        self.assertIsNone(one["to_object_id"].value())
        self.assertNotIn(one["submit_token"].value(), ("old", other["submit_token"].value()))

    def test_its_token_is_accepted_when_it_comes_back(self) -> None:
        token = AssociationForm.prefilled(QueryDict())["submit_token"].value()
        self.assert_cleans_to({"submit_token": token}, submit_token=token)


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
