from datetime import UTC, datetime
from typing import Any

from django.core.cache import cache
from django.test import SimpleTestCase, TestCase
from hypothesis import given
from hypothesis import strategies as st

from associations.hubspot.answers import missing_scopes_in
from associations.hubspot.outcomes import OF_UNDO, VERDICTS, Cause, Linked, Outcome
from associations.models import AssociationAttempt, AssociationRequest
from associations.texts.missing_records import missing_records
from associations.texts.outcomes import beside_outcome, explain
from tests.generated import ANY_JSON, examples
from tests.support import LINK, person

NOW = datetime(2026, 11, 23, 10, 0, tzinfo=UTC)


def entry(cause: str = "", **fields: Any) -> AssociationRequest:
    """An entry, not saved: contact 501 to company 902 unless told otherwise."""
    outcome = VERDICTS[Cause(cause)].outcome if cause else Outcome.SENDING
    defaults = LINK | {"cause": cause, "outcome": outcome, "created_at": NOW}
    defaults |= {"undoes_id": 7} if cause in OF_UNDO else {}
    return AssociationRequest(**defaults | fields)


class CauseTests(TestCase):
    def saved(self, cause: str, **fields: Any) -> AssociationRequest:
        made = entry(cause, user=person(), **fields)
        made.save()
        return made

    def test_every_cause_is_explained_in_whole_sentences(self) -> None:
        for cause in Cause:
            with self.subTest(cause):
                explanation = explain(self.saved(cause, status="{odd}"))
                self.assertRegex(explanation.sentence, r"^[A-Z].+\.$")
                text = explanation.sentence + explanation.next_step
                self.assertNotRegex(text.replace("{odd}", ""), r"[{}]")

    def test_a_next_step_is_told_unless_the_records_are_linked(self) -> None:
        for cause in Cause:
            with self.subTest(cause):
                next_step = explain(self.saved(cause)).next_step
                has_ended_well = cause in (Cause.CONFIRMED, Cause.SEEN_GONE, Cause.ALREADY_GONE)
                self.assertEqual(next_step == "", has_ended_well)

    def test_each_says_of_the_link_what_the_verdict_says(self) -> None:
        sayings = {
            Linked.YES: "is now linked|but they are linked|is linked to .+ in other ways",
            Linked.NO: "(?i)not linked|nothing was linked|refused|has no|does not know|no longer",
            Linked.PERHAPS: "(?i)not known|may not be|does not show|nothing proves|contradicts|"
            "nobody has seen|could not be looked up|was merged",
        }
        for cause in Cause:
            with self.subTest(cause):
                sentence = explain(self.saved(cause)).sentence
                self.assertRegex(sentence, sayings[VERDICTS[cause].linked])

    def test_of_an_undo_each_says_so_of_the_link_that_was_there(self) -> None:
        sayings = {
            Linked.YES: "was not removed|they are linked|is linked to",
            Linked.NO: "no longer",
            Linked.PERHAPS: "not known|nobody has seen|could not be looked up|was merged",
        }
        for cause in {*Cause} - {Cause.CONFIRMED}:
            with self.subTest(cause):
                undo = entry(cause, undoes_id=7)
                self.assertRegex(explain(undo).sentence, r"^[A-Z].+\.$")
                self.assertNotRegex(explain(undo).sentence, r"[{}]|linked\. Nothing was linked")
                self.assertRegex(explain(undo).sentence, sayings[undo.linked])

    def test_the_wait_is_what_hubspot_asked_for_last(self) -> None:
        for headers, wait in (
            ([], "10 seconds"),
            ([{}], "10 seconds"),
            ([{"Retry-After": "30"}, {"Retry-After": "7"}], "7 seconds"),
            ([{"retry-after": "1"}], "1 second"),
            ([{"Retry-After": "119"}], "119 seconds"),
            ([{"Retry-After": "120"}], "2 minutes"),
            ([{"Retry-After": "3600"}], "60 minutes"),
            ([{"Retry-After": "soon"}], "10 seconds"),
            ([{"Retry-After": "9" * 30}], "10 seconds"),
        ):
            is_said = wait != "10 seconds"  # of a migration nobody else knows
            for cause in (Cause.RATE_LIMITED, Cause.MIGRATING)[: 1 + is_said]:
                with self.subTest(headers=headers, cause=cause):
                    made = self.saved(cause)
                    for number, each in enumerate(headers):
                        AssociationAttempt.objects.create(
                            request=made, number=number, started_at=NOW, duration_ms=1, headers=each
                        )
                    self.assertEqual(explain(made).next_step, f"Link them again in {wait}.")

    def test_a_list_of_entries_costs_no_query(self) -> None:
        for cause in Cause:
            made = AssociationRequest.objects.for_list().get(pk=self.saved(cause).pk)
            with self.subTest(cause), self.assertNumQueries(0):
                self.assertTrue(explain(made).sentence)


class SentenceTests(SimpleTestCase):
    def setUp(self) -> None:
        cache.clear()  # HubSpot, whom nobody can reach here, has told other tests its labels

    def test_an_open_entry_says_what_is_under_way(self) -> None:
        explanation = explain(entry())
        self.assertEqual(explanation.sentence, "Linking Contact 501 to Company 902 …")
        self.assertEqual(explanation.next_step, "")

    def test_records_are_called_by_their_labels(self) -> None:
        sentence = explain(entry("confirmed", from_object_type="2-4001")).sentence
        self.assertEqual(sentence, "2-4001 501 is now linked to Company 902.")

    def test_the_types_that_cannot_be_linked_are_named(self) -> None:
        sentence = explain(entry("no_default_type", to_object_type="0-8")).sentence
        self.assertTrue(sentence.endswith("these two types: Contact and Line item."))

    def test_a_list_says_why_and_what_was_seen_and_not_the_pair_again(self) -> None:
        lacks = {"errors": [{"context": {"COMPANY": ["902"]}}]}
        for made, told in (
            (entry(), ""),
            (entry("confirmed", verified=True), ""),
            (entry("confirmed", verified=False), "not seen afterwards"),
            (entry("confirmed", unverified_cause="timed_out"), "not verified"),
            (entry("confirmed", was_linked=True, verified=True), "linked before already"),
            (entry("record_not_found", **lacks), "HubSpot has no company 902."),
            (entry("timed_out", verified=True), "timed out · seen linked afterwards"),
            (entry("refused", was_linked=True), "refused · linked before already"),
            (entry("confirmed", to_merged_into="903"), "Company 902 was merged into 903."),
        ):
            self.assertEqual(beside_outcome(made), told)

    def test_an_unknown_status_is_quoted(self) -> None:
        self.assertIn("“{0}”", explain(entry("unknown_status", status="{0}")).sentence)


class MissingRecordTests(SimpleTestCase):
    """HubSpot's words about records that are not there."""

    CONTACT, COMPANY = "contact 501", "company 902"

    def setUp(self) -> None:
        cache.clear()  # HubSpot, whom nobody can reach here, has told other tests its labels

    def assert_missing(self, expected: list[str], errors: Any, **fields: str) -> None:
        self.assertEqual(missing_records(entry(errors=errors, **fields)), expected)

    def context(self, *records: str) -> list[dict[str, Any]]:
        """As HubSpot says it of a CONTACT=501."""
        invalid = [f"{record} is not valid" for record in records]
        types, ids = zip(*(record.split("=") for record in records), strict=True)
        context = {"INVALID_OBJECT_IDS": invalid, "objectId": [*ids], "objectType": [*types]}
        message = "One or more associations are invalid"
        return [{"message": message, "context": context, "correlationId": "501-902"}]

    def test_the_one_or_both_that_the_context_names(self) -> None:
        self.assert_missing([self.CONTACT], self.context("CONTACT=501"))
        self.assert_missing([self.COMPANY], self.context("COMPANY=902"))
        both = [self.CONTACT, self.COMPANY]
        self.assert_missing(both, self.context("CONTACT=501", "COMPANY=902"))

    def test_within_an_error_of_a_2xx(self) -> None:
        self.assert_missing([self.COMPANY], [{"errors": self.context("COMPANY=902")}])

    def test_the_message_will_do_without_a_context(self) -> None:
        self.assert_missing([self.COMPANY], [{"message": "Object with id 902 does not exist."}])
        self.assert_missing([self.COMPANY], ["902 not found"])

    def test_the_context_outweighs_a_message_that_names_both(self) -> None:
        errors = self.context("COMPANY=902")
        errors[0]["message"] = "Could not associate CONTACT=501 with COMPANY=902"
        self.assert_missing([self.COMPANY], errors)

    def test_an_id_within_something_longer_is_not_the_record(self) -> None:
        for text in ("9501", "5010", "4e1f-501-902a", "a501", "902b", "x_501x", "0-501"):
            with self.subTest(text):
                self.assert_missing([], [{"correlationId": text, "message": text}])

    def test_the_type_tells_which_one_when_both_have_the_same_id(self) -> None:
        same = {"from_object_id": "7", "to_object_id": "7"}
        self.assert_missing(["contact 7"], self.context("CONTACT=7"), **same)
        self.assert_missing(["company 7"], self.context("COMPANY=7"), **same)
        both = ["contact 7", "company 7"]
        self.assert_missing(both, self.context("CONTACT=7", "COMPANY=7"), **same)
        items = same | {"to_object_type": "0-8"}
        self.assert_missing(["line item 7"], self.context("LINE_ITEM=7"), **items)
        cars = same | {"to_object_type": "2-4001"}
        self.assert_missing(["2-4001 7"], self.context("2-4001=7"), **cars)
        self.assert_missing(["p_car 7"], self.context("p_car=7"), **same, to_object_type="p_car")

    def test_neither_is_blamed_when_nothing_tells(self) -> None:
        self.assert_missing([], [])
        self.assert_missing([], [{"message": "Not found"}])
        same = {"from_object_id": "7", "to_object_id": "7"}
        self.assert_missing([], [{"message": "7 does not exist"}], **same)

    def test_the_sentence(self) -> None:
        for records, sentence in (
            (["CONTACT=501"], "HubSpot has no contact 501."),
            (["CONTACT=501", "COMPANY=902"], "HubSpot has no contact 501 and no company 902."),
            (["DEAL=1"], "HubSpot has no such record on one of the two sides."),
        ):
            with self.subTest(records):
                told = entry("record_not_found", errors=self.context(*records))
                self.assertEqual(explain(told).sentence, sentence)

    def test_a_custom_object_keeps_its_name(self) -> None:
        told = entry("record_not_found", to_object_type="p_Car", errors=["902"])
        self.assertEqual(explain(told).sentence, "HubSpot has no p_Car 902.")


class MissingScopeTests(SimpleTestCase):
    WRITE = "crm.objects.contacts.write"
    DOCS = {"links": {"scopes": "https://developers.hubspot.com/scopes"}}

    def test_from_each_place_where_hubspot_names_them(self) -> None:
        for error in (
            {"context": {"missingScopes": [self.WRITE]}},
            {"context": {"missingScopes": self.WRITE}},
            {"context": {"missingScopes": [f"[{self.WRITE}, {self.WRITE}]"]}},
            {"errors": [{"context": {"requiredGranularScopes": [self.WRITE]}}]},
            {"errors": [{"context": {"requiredScopes": [self.WRITE]}}]},
        ):
            with self.subTest(error):
                told = entry("scope_missing", errors=[self.DOCS | error])
                self.assertEqual(missing_scopes_in(told.errors), [self.WRITE])
                self.assertIn(f"also needs {self.WRITE}.", explain(told).next_step)

    def test_whatever_their_form_each_once_in_order(self) -> None:
        scopes = ["tickets", "e-commerce", "business_units_view.read", "crm.schemas.custom.read"]
        errors = [{"context": {"missingScopes": scopes}, "errors": [{"requiredScopes": scopes}]}]
        self.assertEqual(missing_scopes_in(errors), sorted(scopes))

    def test_nothing_else_is_taken_for_one(self) -> None:
        told = entry(
            "scope_missing", errors=[self.DOCS | {"message": "see developers.hubspot.com"}]
        )
        self.assertEqual(missing_scopes_in(told.errors), [])
        self.assertIn("also needs a scope that HubSpot does not name.", explain(told).next_step)


class AnythingTests(SimpleTestCase):
    @examples(100)
    @given(st.sampled_from(["record_not_found", "scope_missing", "unknown_status"]), ANY_JSON)
    def test_is_explained_without_an_exception(self, cause: str, value: Any) -> None:
        explanation = explain(entry(cause, errors=[value, {"context": value}]))
        self.assertTrue(explanation.sentence and explanation.next_step)
