import json
import sys
import time
from collections import Counter

from django.test import SimpleTestCase, tag
from django.utils import translation
from hypothesis import given
from hypothesis import strategies as st

from associations.bulk.files.errors import FileReason
from associations.bulk.files.rows import Problem, Row, RowChecker, RowReason
from associations.bulk.files.workbook import CellReason, Flawed
from associations.bulk.messages import file_sentence, sentence
from associations.gateway.object_types import TypeChoice, TypeChoices, standard_choices
from associations.hubspot.record_references import PairReason, Reason
from associations.linking.forms import AssociationForm
from associations.texts.references import SENTENCES
from tests.associations.bulk.files.files import CHOSEN, TYPES, car, checker
from tests.associations.hubspot.addresses import RECORDS, REFUSED
from tests.generated import examples
from tests.support import LINK

CONTACT = "https://app.hubspot.com/contacts/4242/record/0-1/501"
GOOD = {"problem": None, "named": {}}
FACTS = {"length": 7, "limit": 5, "cells": 2, "line": 3, "columns": 51, "text": "x", "choices": "x"}
FACTS |= {"portal": "1", "expected": "2", "read": "contacts", "chosen": "0-8", "found": "a, b"}
FACTS |= {"object_type": "contacts", "count": 2, "cause": "timed_out"}
FACTS |= {"characters": "U+202E", "sheet": "Links", "cell": "B7", "range": "B2:B7"}


def check(checks: RowChecker | None = None, /, **values: str) -> Row:
    return (checks or checker()).check(LINK | values)


class RowTestCase(SimpleTestCase):
    def assert_id(self, typed: str, expected: str) -> None:
        row = check(from_object_id=typed)
        self.assertEqual((row.from_object_id, row.problem), (expected, None))

    def assert_problem(self, expected: tuple[str, str], row: Row) -> None:
        self.assertEqual(row.problem and (row.problem.field, row.problem.code), expected)


class GoodRowTests(RowTestCase):
    def test_as_it_will_be_sent(self) -> None:
        row = check(from_object_type="Contact", to_object_type=" COMPANY ", reason=" a \n b ")
        self.assertEqual(row, Row("contacts", "501", "companies", "902", "a b", None))

    def test_a_type_from_the_cell_the_id_or_the_run(self) -> None:
        ids = {"from_object_id": "501", "to_object_id": "902"}
        for values, chosen in (
            (LINK, {}),
            (ids, CHOSEN),
            (LINK, CHOSEN),
            (LINK | {"from_object_type": " \u200b"}, CHOSEN),
            ({"from_object_id": "contact 501", "to_object_id": "0-2/902"}, {}),
            (LINK | {"from_object_id": CONTACT}, CHOSEN),
            ({"from_object_id": CONTACT, "to_object_id": "902"}, {"to_object_type": "companies"}),
        ):
            with self.subTest(values, chosen=chosen):
                row = checker(**chosen).check(values)
                self.assertEqual(row, Row("contacts", "501", "companies", "902", "", None))

    def test_what_stands_around_an_id(self) -> None:
        for typed in (
            *(" 501\t", "\u200e501\u200e", "\ufeff501", "\u202a501\u202c", "\u00a0501\u3000"),
            *(
                "'501",
                " '501",
                "501\x85",
                "501\u2028",
                "'\u200b501",
                "\u200b 501 \u200d",
                "501.0",
                "'501.0",
            ),
        ):
            with self.subTest(typed):
                self.assert_id(typed, "501")

    def test_the_longest_ids(self) -> None:
        self.assert_id("9" * 20, "9" * 20)
        self.assert_id("9" * 15 + ".0", "9" * 15)

    def test_types_of_the_company(self) -> None:
        types = TypeChoices([*standard_choices(), TypeChoice(car(), "Car")])
        row = check(checker(types), from_object_type="car", to_object_id="Car 7", to_object_type="")
        self.assertEqual(row[:4], ("2-4001", "501", "2-4001", "7"))

    def test_a_reason_out_of_our_own_exports(self) -> None:
        for typed, reason in {
            "'=1+1": "=1+1",
            "'@x": "@x",
            "'+1": "+1",
            "'quoted'": "'quoted'",
            "=1+1": "=1+1",
        }.items():
            with self.subTest(typed):
                self.assertEqual(check(reason=typed).reason, reason)


class BadRowTests(RowTestCase):
    def test_ids(self) -> None:
        for typed, code in {
            "": "required",
            " \u200b ": "required",
            "'": "required",
            "a": "not_digits",
            "a=bc": "not_digits",
            "-501": "not_digits",
            "+501": "not_digits",
            "=501": "not_digits",
            "5 01": "not_digits",
            "5\u200b01": "not_digits",
            "501,902": "in_groups",
            "1,234,567": "in_groups",
            "1.234.567": "in_groups",
            "1'234": "in_groups",
            "1\u202f234": "in_groups",
            "501,0": "decimal",
            "501.00": "decimal",
            "501.5": "decimal",
            "0.5": "decimal",
            "1234567890123456.0": "decimal",
            "1.23457E+11": "rounded",
            "1,23457E+11": "rounded",
            "5e10": "rounded",
            "\u0665\u0660\u0661": "not_plain_digits",
            "0": "zero",
            "0501": "leading_zero",
            "1" * 21: "too_long",
            "contact: ..": "not_digits",
            "..": "not_digits",
            "%2e%2e": "not_digits",
            "../501": "not_hubspot",
            "foo #501": "unknown_type",
            "Contact": "no_id",
            "https://example.com/501": "not_hubspot",
            CONTACT.replace("4242", "999"): "another_portal",
            f"{CONTACT} and more": "more_than_address",
            "x" * 2001: "address_too_long",
        }.items():
            for side in ("from", "to"):
                with self.subTest(typed, side=side):
                    name = f"{side}_object_id"
                    row = check(**{name: typed})
                    self.assert_problem((name, code), row)
                    self.assertEqual(getattr(row, name), "")

    def test_addresses_as_the_form_reads_them(self) -> None:
        own = checker()
        for text, (object_type, object_id) in RECORDS.items():
            with self.subTest(text):
                row = own.check({"from_object_id": text, "to_object_id": "contact 77777"})
                self.assertEqual(
                    (row.from_object_type or object_type, row.from_object_id),
                    (object_type, object_id),
                )
        for text, reason in REFUSED.items():
            if text[-1:] != "\u200b":  # here it may stand around what is meant
                with self.subTest(text):
                    row = check(own, from_object_id=text)
                    self.assertIsNot(row.problem is None, not row.named, reason)
                    self.assertEqual(row.from_object_id, "")

    def test_types(self) -> None:
        for values, expected in (
            ({"from_object_type": ""}, ("from_object_type", "no_type")),
            ({"to_object_type": " "}, ("to_object_type", "no_type")),
            ({"to_object_type": "foo"}, ("to_object_type", "unknown_type")),
            ({"to_object_type": "../x"}, ("to_object_type", "unknown_type")),
            ({"from_object_id": "deal 501"}, ("from_object_type", "two_types")),
        ):
            with self.subTest(values):
                self.assert_problem(expected, check(**values))

    def test_a_name_that_several_types_have(self) -> None:
        own = [TypeChoice(car(f"2-{number}", "Van"), "Van") for number in (1, 2)]
        row = check(checker(TypeChoices([*standard_choices(), *own])), from_object_type="van")
        self.assertEqual(row.problem.code, "ambiguous_type")
        self.assertEqual(row.problem.facts, {"text": "van", "choices": "Van (2-1), Van (2-2)"})

    def test_the_types_of_the_run_are_not_to_be_contradicted(self) -> None:
        for values, code in (
            ({"from_object_type": "deal"}, "another_type"),
            ({"from_object_type": "", "from_object_id": "deal 5"}, "two_types"),
        ):
            row = check(checker(**CHOSEN), **values)
            self.assert_problem(("from_object_type", code), row)
            self.assertEqual(row.problem.facts, {"read": "deals", "chosen": "contacts"})

    def test_not_itself_and_not_in_two_portals(self) -> None:
        row = check(to_object_type="people", to_object_id="501")
        self.assert_problem(("to_object_id", "itself"), row)
        ours, theirs = (f"/contacts/{portal}/contact/5" for portal in (1, 2))
        values = {"from_object_id": ours, "to_object_id": theirs}
        self.assert_problem(("to_object_id", "another_portal"), RowChecker(TYPES).check(values))

    def test_reasons(self) -> None:
        self.assertEqual(check(reason="x" * 500).reason, "x" * 500)
        self.assertEqual(check(reason=" " * 9 + "x" * 500 + "\n").reason, "x" * 500)
        row = check(reason="x" * 501)
        self.assertEqual(
            row.problem, Problem("reason", "reason_too_long", {"length": 501, "limit": 500})
        )

    def test_too_many_cells(self) -> None:
        row = check(extra_cells="2")
        self.assertEqual(row.problem, Problem("", "extra_cells", {"cells": 2}))

    def test_the_first_problem_is_told_and_the_rest_is_read(self) -> None:
        row = check(from_object_id="=x", to_object_id="=y", reason="z")
        self.assert_problem(("from_object_id", "not_digits"), row)
        self.assertEqual((row.to_object_type, row.reason), ("", "z"))

    def test_a_type_chosen_for_all_rows_that_is_not_known_any_more_fails_no_row(self) -> None:
        rows = RowChecker(TYPES, from_object_type="0-9999")
        row = rows.check({"from_object_id": "501", "to_object_id": "company 902"})
        self.assertEqual((row.from_object_type, row.problem), ("0-9999", None))

    def test_facts_are_short_and_fit_into_json(self) -> None:
        for values in ({"from_object_type": "x" * 60_000}, {"from_object_id": "x" * 1000 + " 1"}):
            problem = check(**values).problem
            self.assertLess(len(json.dumps(problem)), 200)


class OracleTests(SimpleTestCase):
    """A row is good if and only if the form takes it, and then both mean the same."""

    TEXTS = st.sampled_from(
        [
            *("", " ", "501", "902", " 7 ", "0", "05", "1" * 21, "\uff15", "=1", ".."),
            *("contact", "Company", "deal #77", "contact 501", "people 501", "0-2/902", "2-4001"),
            *("foo", "foo 1", "p_car", "a\n b", "x" * 501, "https://example.com/1"),
            *(
                "\ufeffcontact 501",
                "\u200b902\u00a0",
                "\ufeff",
                "'501",
                "501.0",
                "1,5",
                "5E+11",
                "1 234",
            ),
            *(CONTACT, CONTACT.replace("4242", "9")),
        ]
    )

    @examples(300)
    @given(st.fixed_dictionaries(dict.fromkeys([*LINK, "reason"], TEXTS)))
    def test_the_form_says_the_same(self, values: dict[str, str]) -> None:
        form = AssociationForm(values, types=TYPES, portal_id="4242")
        row = checker().check(values)
        if row.named:  # HubSpot is asked which record that is; the form has a box for it
            self.assertFalse(form.is_valid())
            return
        self.assertEqual(form.is_valid(), row.problem is None, (form.errors, row.problem))
        if form.is_valid():
            self.assertEqual(row._asdict() | {"submit_token": ""}, form.association() | GOOD)
        else:
            self.assertIn(row.problem.field, form.errors)


CODES = [*Reason, *PairReason, *RowReason, *CellReason]
NO_CELL = {name: value for name, value in FACTS.items() if name != "cell"}


class SentenceTests(SimpleTestCase):
    def sentences(self) -> list[str]:
        of_rows = [
            sentence(f"{side}_object_id", code.value, facts)
            for code in CODES
            for side in ("from", "to")
            for facts in (FACTS, FACTS if code in [*CellReason] else NO_CELL)
        ]
        return of_rows + [
            file_sentence(reason, FACTS | {"field": "to_object_id"}) for reason in FileReason
        ]

    def test_there_is_one_for_every_code(self) -> None:
        for text in self.sentences():
            with self.subTest(text):
                self.assertRegex(text, r"\.$")
                self.assertNotIn("%", text)

    def test_each_file_reason_has_its_own(self) -> None:
        facts = FACTS | {"field": "reason"}
        self.assertEqual(len({file_sentence(each, facts) for each in FileReason}), len(FileReason))

    def test_codes_do_not_clash(self) -> None:
        self.assertEqual(len({*CODES}), len(CODES))

    def test_sides_and_types_are_named(self) -> None:
        self.assertTrue(sentence("to_object_id", "required", {}).startswith("To: "))
        self.assertIn("Contact, but Line item", sentence("from_object_type", "another_type", FACTS))

    def test_the_forms_own_are_used_again(self) -> None:
        self.assertEqual(sentence("to_object_id", "zero", {}), str(SENTENCES[Reason.ZERO]))
        with translation.override("ja"):
            self.assertEqual(sentence("to_object_id", "zero", {}), str(SENTENCES[Reason.ZERO]))

    def test_signs_of_formats_in_what_was_typed(self) -> None:
        problem = check(from_object_type="%(x)s %d").problem
        self.assertIn("“%(x)s %d”", sentence(*problem))


IDS = st.sampled_from(
    ("501", "501", "902", "0501", "0", "9" * 20, "9" * 21, "\uff11", "5;6", " 5", "")
)
NAMES_OF_TYPES = st.sampled_from(
    ("", " ", "contact", "Company ", "'deals", "0-1", "\u200b", "nothing", "2-1")
)
REASONS = st.sampled_from(
    ("", " a  b ", "'=1", "'a", "\u202e", "\u00e9", "x" * 500, "x" * 501, "a\nb")
)
CELLS = {
    "from_object_id": IDS,
    "to_object_id": IDS,
    "from_object_type": NAMES_OF_TYPES,
    "to_object_type": NAMES_OF_TYPES,
    "reason": REASONS | st.text(max_size=9),
}
PLAIN = st.fixed_dictionaries({}, optional=CELLS)


@tag("long")
class PlainRowTests(SimpleTestCase):
    """What is read in short is what reading in full would have made of it."""

    own = (checker(), checker(**CHOSEN), checker(from_object_type="contacts"))

    def assert_same(self, own: RowChecker, values: dict[str, str]) -> None:
        plain = own._plain(values)
        self.assertIn(plain, (None, own._any(values)))

    @examples(1500)
    @given(st.sampled_from(own), PLAIN)
    def test_of_any_cells(self, own: RowChecker, values: dict[str, str]) -> None:
        self.assert_same(own, values)

    @examples(300)
    @given(st.sampled_from(own), PLAIN, st.sampled_from(sorted(CELLS)))
    def test_a_flawed_cell_is_read_in_full(
        self, own: RowChecker, values: dict[str, str], name: str
    ) -> None:
        flawed = Flawed.made((LINK | values).get(name, ""), CellReason.NO_VALUE, cell="B7")
        self.assertIsNone(own._plain(LINK | values | {name: flawed}))

    def test_what_else_a_record_says_is_read_in_full(self) -> None:
        for further in ({"extra_cells": "2"}, {"from_object_id_by": "email"}):
            with self.subTest(further):
                self.assertIsNone(checker()._plain(LINK | further))

    def test_a_row_of_plain_ids_is_read_in_short(self) -> None:
        expected = Row("contacts", "501", "companies", "902", "a b", None)
        self.assertEqual(checker()._plain(LINK | {"reason": " a  b"}), expected)


class SpeedTests(SimpleTestCase):
    def test_plain_rows_take_few_calls(self) -> None:
        """A Django form takes thousands for each: too many in a file of 100,000 rows."""
        own, values, calls = checker(), LINK | {"reason": "Ticket 4711"}, Counter[str]()
        own.check(values)
        sys.setprofile(lambda _frame, event, _argument: calls.update([event]))
        try:
            own.check(values)
        finally:
            sys.setprofile(None)
        self.assertLess(calls["call"] + calls["c_call"], 60)

    def test_only_some_names_of_types_are_kept(self) -> None:
        own = checker()
        for spaces in range(2000):
            own.check(LINK | {"from_object_type": "contact" + " " * spaces})
            own.check(LINK | {"from_object_type": f"2-{spaces + 1}"})
        self.assertLess(sum(map(len, own._resolved)), 100_000)

    def test_hostile_cells_take_little(self) -> None:
        own = checker()
        started = time.process_time()
        for cell in (
            "x" + " " * 60_000 + "x",
            "\u200b" * 60_000,
            "1." * 30_000,
            "1,111" * 400,
            "a " * 999,
            "'" * 2000,
        ):
            own.check(dict.fromkeys([*LINK, "reason"], cell))
        self.assertLess(time.process_time() - started, 0.5)
