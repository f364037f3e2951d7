from datetime import timedelta
from typing import Any

from django.template.loader import render_to_string
from django.test import SimpleTestCase, override_settings
from hypothesis import given
from hypothesis import strategies as st

from associations.audit.entry_details import Direction, ToldError, directions, told_errors
from associations.hubspot.outcomes import Outcome
from associations.models import AssociationRequest
from associations.templatetags import associations as filters
from associations.templatetags import cells
from tests.generated import ANY_JSON, examples
from tests.support import LINK

SPEC = {"associationCategory": "HUBSPOT_DEFINED", "associationTypeId": 279}


def entry(**fields: Any) -> AssociationRequest:
    """An entry, not saved: contact 501 to company 902 unless told otherwise."""
    return AssociationRequest(**(LINK | fields))


def result(from_id: Any, to_id: Any, **fields: Any) -> dict[str, Any]:
    return {"from": {"id": from_id}, "to": {"id": to_id}, "associationSpec": SPEC} | fields


class DirectionTests(SimpleTestCase):
    def test_both_directions_are_named(self) -> None:
        back = {"associationSpec": {"associationCategory": "WORK", "associationTypeId": 280}}
        shown = directions(entry(results=[result("501", "902"), result("902", "501", **back)]))
        self.assertEqual(
            shown,
            [
                Direction("Contact 501", "Company 902", "279", "HUBSPOT_DEFINED"),
                Direction("Company 902", "Contact 501", "280", "WORK"),
            ],
        )

    def test_ids_may_be_numbers_and_foreign_ones_stay_as_they_are(self) -> None:
        (shown,) = directions(entry(results=[result(501, 7)]))
        self.assertEqual((shown.from_record, shown.to_record), ("Contact 501", "7"))

    def test_the_same_id_on_both_sides_is_not_guessed_at(self) -> None:
        same = {"from_object_id": "7", "to_object_id": "7"}
        (shown,) = directions(entry(results=[result("7", "7")], **same))
        self.assertEqual((shown.from_record, shown.to_record), ("7", "7"))

    def test_what_is_missing_is_said_to_be(self) -> None:
        for odd in (None, 7, "x", [], {}, {"from": 1, "to": None, "associationSpec": "x"}):
            with self.subTest(odd=odd):
                self.assertEqual(directions(entry(results=[odd])), [Direction(*["not named"] * 4)])


class ToldErrorTests(SimpleTestCase):
    def told(self, error: Any) -> ToldError:
        (told,) = told_errors(entry(errors=[error]))
        return told

    def test_the_message_the_facts_and_the_errors_within(self) -> None:
        error = {
            "status": "error",
            "message": "Outer",
            "category": "VALIDATION_ERROR",
            "subCategory": {"name": "X"},
            "correlationId": "4e1f",
            "context": {"objectId": ["501", "502"], "empty": []},
            "errors": [{"message": "Inner", "code": "C", "in": "path"}],
            "links": {"docs": "https://example.com"},
        }
        facts = [("category", "VALIDATION_ERROR"), ("subCategory", '{"name": "X"}')]
        facts = [("status", "error"), *facts, ("correlationId", "4e1f")]
        facts += [("links", '{"docs": "https://example.com"}'), ("objectId", "501, 502")]
        inner = ToldError("Inner", [("code", "C"), ("in", "path")])
        self.assertEqual(self.told(error), ToldError("Outer", facts, [inner]))

    def test_the_context_is_told_whatever_its_names(self) -> None:
        error = {"category": "A", "context": {"id": ["5"], "message": ["m"], "category": ["B"]}}
        facts = [("category", "A"), ("id", "5"), ("message", "m"), ("category", "B")]
        self.assertEqual(self.told(error).facts, facts)

    def test_a_context_or_errors_of_another_shape(self) -> None:
        self.assertEqual(self.told({"context": ["a", "b"]}).facts, [("context", "a, b")])
        self.assertEqual(self.told({"errors": "plain"}).inner, [ToldError("plain")])
        self.assertEqual(self.told({"errors": {"message": "m"}}).inner, [ToldError("m")])

    def test_what_is_no_object_is_its_own_message(self) -> None:
        for error, message in (
            ("plain", "plain"),
            (7, "7"),
            (True, "true"),
            ([1, "ä"], '[1, "ä"]'),
        ):
            with self.subTest(error=error):
                self.assertEqual(self.told(error), ToldError(message))

    def test_no_message_is_said_to_be_none(self) -> None:
        for error in (None, "", [], {}, {"message": ""}, {"message": None}):
            with self.subTest(error=error):
                self.assertEqual(self.told(error), ToldError("An error without a message."))


class PageTests(SimpleTestCase):
    def show(self, results: list[Any], errors: list[Any]) -> str:
        shown = entry(results=results, errors=errors)
        return render_to_string("linking/results.html", {"entry": shown}) + render_to_string(
            "linking/errors.html", {"errors": told_errors(shown)}
        )

    @examples(100)
    @given(st.lists(ANY_JSON, max_size=3), ANY_JSON)
    def test_any_json_is_shown_without_an_exception(self, results: list[Any], value: Any) -> None:
        ends = {"from": {"id": value}, "to": value, "associationSpec": value}
        error = {"message": value, "context": value, "errors": value, "category": value}
        self.assertTrue(self.show([*results, ends], [*results, error, {"errors": [error]}]))

    def test_errors_nested_as_deeply_as_the_log_keeps_them(self) -> None:
        error = {"message": "bottom"}
        for _ in range(25):
            error = {"errors": [error]}
        self.assertIn("bottom", self.show([], [error]))

    def test_hubspots_words_are_escaped(self) -> None:
        script = "<script>"
        error = {"message": script, "context": {script: [script]}, "errors": [script]}
        self.assertNotIn(script, self.show([result(script, script)], [error]))


class FilterTests(SimpleTestCase):
    def test_every_outcome_has_an_icon_of_its_own(self) -> None:
        self.assertEqual(len({filters.icon(outcome) for outcome in Outcome}), len(Outcome))

    def test_a_duration(self) -> None:
        self.assertEqual(filters.duration(timedelta(milliseconds=1234)), "1.23 s")

    def test_the_records_in_hubspot(self) -> None:
        address = "https://app.hubspot.com/contacts/4242/record/"
        self.assertEqual(filters.from_url(entry()), address + "0-1/501")
        self.assertEqual(filters.to_url(entry()), address + "0-2/902")
        with override_settings(HUBSPOT_PORTAL_ID=""):
            self.assertEqual(filters.from_url(entry()), "")

    def test_the_form_filled_in_again(self) -> None:
        address = cells.again_url(entry(reason="a&b"))
        self.assertIn("from_object_type=Contact&from_object_id=501", address)
        self.assertTrue(address.endswith("to_object_id=902&reason=a%26b"))
