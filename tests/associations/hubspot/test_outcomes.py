from unittest import TestCase

from associations.hubspot.outcomes import OF_UNDO, VERDICTS, Cause, Linked, Outcome, Verdict
from associations.models import AssociationAttempt, AssociationRequest

# The outcome table of the design, by cause. A change here changes what people are told.
UNCONFIRMED = (Outcome.UNCONFIRMED, Linked.PERHAPS)
REJECTED = (Outcome.REJECTED, Linked.NO)
UNREACHABLE = (Outcome.UNREACHABLE, Linked.PERHAPS)
TABLE = {
    Cause.CONFIRMED: (Outcome.LINKED, Linked.YES),
    Cause.IN_PROGRESS: UNCONFIRMED,
    Cause.NOT_SHOWN: UNCONFIRMED,
    Cause.PARTLY_FAILED: UNCONFIRMED,
    Cause.UNKNOWN_STATUS: UNCONFIRMED,
    Cause.UNREADABLE: UNCONFIRMED,
    Cause.CANCELED_BY_HUBSPOT: REJECTED,
    Cause.UNKNOWN_OBJECT_TYPE: REJECTED,
    Cause.RECORD_NOT_FOUND: REJECTED,
    Cause.NO_DEFAULT_TYPE: REJECTED,
    Cause.ASSOCIATION_LIMIT: REJECTED,
    Cause.SAME_RECORD: REJECTED,
    Cause.REFUSED: REJECTED,
    Cause.REDIRECTED: REJECTED,
    Cause.TOKEN_REFUSED: REJECTED,
    Cause.SCOPE_MISSING: REJECTED,
    Cause.FORBIDDEN: REJECTED,
    Cause.LOCKED: REJECTED,
    Cause.RATE_LIMITED: REJECTED,
    Cause.DAILY_LIMIT: REJECTED,
    Cause.MIGRATING: REJECTED,
    Cause.HUBSPOT_ERROR: UNREACHABLE,
    Cause.HUBSPOT_DOWN: UNREACHABLE,
    Cause.TIMED_OUT: UNREACHABLE,
    Cause.CONNECTION_LOST: UNREACHABLE,
    Cause.INTERRUPTED: UNREACHABLE,
    Cause.NOT_SENT: (Outcome.CANCELED, Linked.NO),
    Cause.ACCESS_ENDED: (Outcome.CANCELED, Linked.NO),
    Cause.NO_CONNECTION: (Outcome.UNREACHABLE, Linked.NO),
    Cause.SEEN_GONE: (Outcome.UNLINKED, Linked.NO),
    Cause.STILL_LINKED: (Outcome.UNCONFIRMED, Linked.YES),
    Cause.NOT_SEEN_GONE: UNCONFIRMED,
    Cause.ALREADY_GONE: (Outcome.CANCELED, Linked.NO),
    Cause.NOT_ALONE: (Outcome.CANCELED, Linked.YES),
    Cause.MERGED: (Outcome.CANCELED, Linked.PERHAPS),
    Cause.NOT_SEEN_ALONE: (Outcome.CANCELED, Linked.PERHAPS),
}


def causes_where(**wanted: object) -> set[Cause]:
    def fits(verdict: Verdict) -> bool:
        return all(getattr(verdict, name) == value for name, value in wanted.items())

    return {cause for cause, verdict in VERDICTS.items() if fits(verdict)}


class VerdictTests(TestCase):
    def test_every_cause_has_one(self) -> None:
        self.assertEqual(set(VERDICTS), set(Cause))

    def test_they_are_those_of_the_design(self) -> None:
        self.assertEqual({c: (v.outcome, v.linked) for c, v in VERDICTS.items()}, TABLE)

    def test_only_a_confirmed_link_is_called_linked(self) -> None:
        self.assertEqual(causes_where(outcome=Outcome.LINKED), {Cause.CONFIRMED})
        self.assertEqual(causes_where(linked=Linked.YES) - OF_UNDO, {Cause.CONFIRMED})

    def test_only_what_may_pass_is_retried(self) -> None:
        passing = {Cause.LOCKED, Cause.RATE_LIMITED, Cause.MIGRATING, Cause.HUBSPOT_DOWN}
        passing |= {Cause.TIMED_OUT, Cause.CONNECTION_LOST, Cause.NO_CONNECTION}
        self.assertEqual(causes_where(retried=True), passing)

    def test_no_answer_that_settles_the_matter_is_retried(self) -> None:
        self.assertEqual(causes_where(retried=True, settles=True), set())

    def test_what_is_no_answer_about_the_pair_settles_nothing(self) -> None:
        self.assertEqual(causes_where(outcome=Outcome.UNREACHABLE, settles=True), set())
        for cause in (Cause.TOKEN_REFUSED, Cause.SCOPE_MISSING, Cause.DAILY_LIMIT, Cause.FORBIDDEN):
            with self.subTest(cause):
                self.assertFalse(VERDICTS[cause].settles)


class ColumnTests(TestCase):
    def test_every_code_fits_its_columns(self) -> None:
        for model, name, codes in (
            (AssociationRequest, "cause", Cause),
            (AssociationRequest, "outcome", Outcome),
            (AssociationAttempt, "failure", Cause),
        ):
            with self.subTest(name):
                field = model._meta.get_field(name)
                self.assertEqual([value for value, _ in field.choices], list(codes))
                self.assertLessEqual(max(map(len, codes)), field.max_length)
