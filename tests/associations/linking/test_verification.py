"""What is seen in HubSpot before and after a request, and what the entry keeps of it."""

from datetime import datetime
from typing import Any
from unittest import mock

from django.db import OperationalError
from django.test import TestCase, override_settings

from associations.audit.recorder import LogUnavailableError, RequestMeta
from associations.audit.throttling import ThrottledError
from associations.hubspot.client import Limits
from associations.hubspot.outcomes import Linked
from associations.linking import services
from associations.models import AssociationCheck, AssociationRequest
from associations.texts.outcomes import explain
from tests.support import LINK, SandboxMixin, person

LOOK = "associations/contacts/companies/batch/read"
PAIR = tuple(LINK.values())


class VerificationTestCase(SandboxMixin, TestCase):
    limits = Limits(connect=1, read=0.5, total=8, attempts=2, pause=0.01)

    def setUp(self) -> None:
        super().setUp()
        self.user = person()
        self.enterContext(mock.patch("associations.linking.verification.PAUSE", 0.05))

    def link(self) -> AssociationRequest:
        entry = services.create_association(user=self.user, **LINK)
        return AssociationRequest.objects.get(pk=entry.pk)

    def assert_seen(self, was_linked: bool | None, verified: bool | None, cause: str = "") -> Any:
        entry = self.link()
        seen = entry.was_linked, entry.verified, entry.unverified_cause
        self.assertEqual(seen, (was_linked, verified, cause))
        self.assertEqual(entry.verified_at is None, verified is None)
        return entry

    def looks(self) -> int:
        return sum(LOOK in request["path"] for request in self.sandbox.requests)

    def fault(self, **fields: Any) -> None:
        self.sandbox.fault(**({"method": "POST", "path": LOOK} | fields))


class SeenTests(VerificationTestCase):
    def test_a_new_link(self) -> None:
        entry = self.assert_seen(was_linked=False, verified=True)
        self.assertEqual(explain(entry).sentence, "Contact 501 is now linked to Company 902.")
        self.assertEqual(explain(entry).verification, "")
        self.assertLess(entry.sent_at, entry.verified_at)
        self.assertLessEqual(entry.verified_at, entry.finished_at)

    def test_one_that_was_there(self) -> None:
        self.sandbox.link(*PAIR)
        entry = self.assert_seen(was_linked=True, verified=True)
        self.assertIn("was already linked", explain(entry).sentence)
        self.assertEqual(len(self.puts()), 1, "asked for all the same")

    def test_one_by_a_label_alone_was_not_linked_by_default(self) -> None:
        self.sandbox.link(*PAIR, label="Decision maker")
        self.assert_seen(was_linked=False, verified=True)

    def test_a_hubspot_that_lags_is_looked_at_once_more(self) -> None:
        self.sandbox.fault(lag=0.03)
        self.assert_seen(was_linked=False, verified=True)
        self.assertEqual(self.looks(), 3)

    def test_and_not_for_ever(self) -> None:
        self.sandbox.fault(lag=60)
        entry = self.assert_seen(was_linked=False, verified=False)
        self.assertEqual((entry.outcome, self.looks()), ("linked", 3))
        self.assertIn("was not there", explain(entry).verification)
        self.assertIn("HubSpot answered that", explain(entry).sentence)

    def test_a_lie_is_found(self) -> None:
        """HubSpot says COMPLETE, but made no link."""
        self.sandbox.fault(apply=False)
        self.assert_seen(was_linked=False, verified=False)

    def test_a_lost_answer_is_found_out(self) -> None:
        self.sandbox.fault(reset="after", times=None)
        entry = self.assert_seen(was_linked=False, verified=True)
        self.assertEqual((entry.outcome, entry.linked), ("unreachable", Linked.YES))
        told = explain(entry)
        self.assertIn("is linked to", told.sentence)
        self.assertEqual(told.next_step, "")

    def test_a_lost_request_as_well(self) -> None:
        self.sandbox.fault(reset="before", times=None)
        entry = self.assert_seen(was_linked=False, verified=False)
        self.assertEqual(entry.linked, Linked.PERHAPS)
        self.assertIn("not known", explain(entry).sentence)

    def test_what_was_refused_is_not_looked_up(self) -> None:
        entry = services.create_association(user=self.user, **LINK | {"from_object_id": "9"})
        self.assertEqual((entry.outcome, entry.was_linked), ("rejected", False))
        self.assertEqual((entry.verified, self.looks()), (None, 1))

    def test_a_lost_answer_about_what_was_linked_before_has_changed_nothing(self) -> None:
        self.sandbox.link(*PAIR)
        self.sandbox.fault(reset="after", times=None)
        entry = self.assert_seen(was_linked=True, verified=True)
        self.assertIn("already linked", explain(entry).sentence)

    def test_a_refusal_does_not_hide_that_they_were_linked_before(self) -> None:
        self.sandbox.link(*PAIR)
        self.sandbox.fault(status=403)
        entry = self.assert_seen(was_linked=True, verified=None)
        self.assertIn("linked already before", explain(entry).verification)

    @override_settings(HUBSPOT_VERIFY=False)
    def test_switched_off_it_costs_nothing(self) -> None:
        self.assert_seen(was_linked=None, verified=None)
        self.assertEqual(len(self.sandbox.requests), 1)


class TroubleTests(VerificationTestCase):
    """A look that fails never stands in the way."""

    def test_each_trouble(self) -> None:
        for fault, cause, looks in (
            ({"status": 403}, "forbidden", 1),
            ({"status": 401}, "token_refused", 1),
            ({"status": 503}, "hubspot_down", 2),
            ({"status": 523}, "hubspot_down", 2),
            ({"status": 500, "body": "<p>"}, "hubspot_down", 2),
            ({"status": 500}, "hubspot_error", 2),
            ({"status": 200, "body": "<p>"}, "unreadable", 2),
            ({"delay": 2}, "timed_out", 2),
        ):
            with self.subTest(cause):
                self.sandbox.reset()
                self.fault(**fault, times=None)
                entry = self.assert_seen(was_linked=None, verified=None, cause=cause)
                self.assertEqual((entry.outcome, self.looks()), ("linked", looks))
                self.assertIn("not verified", explain(entry).verification)

    def test_without_any_answer_nothing_counts_as_accepted(self) -> None:
        self.fault(status=503, times=None)
        self.sandbox.fault(status=503, times=None)
        entry = self.assert_seen(was_linked=None, verified=None, cause="hubspot_down")
        self.assertNotIn("accepted", explain(entry).verification)
        self.assertIn("not possible either", explain(entry).verification)

    def test_a_link_that_was_there_and_then_is_not_is_no_unchanged_one(self) -> None:
        self.sandbox.link(*PAIR)
        self.fault()  # the look before sees it
        nothing = {"status": "COMPLETE", "results": []}
        self.fault(status=200, body=nothing, times=None)
        entry = self.assert_seen(was_linked=True, verified=False)
        self.assertNotIn("Nothing has changed", explain(entry).sentence)

    def test_an_odd_redirect_stops_neither_the_looks_nor_the_put(self) -> None:
        self.fault(status=302, headers={"Location": "http://[::1/"}, times=None)
        self.assert_seen(was_linked=None, verified=None, cause="redirected")

    def test_what_nobody_thought_of_does_not_stop_it_either(self) -> None:
        trouble = mock.patch(
            "associations.linking.verification.links_between", side_effect=RuntimeError
        )
        with trouble, self.assertLogs("associations.linking.identity", "ERROR"):
            entry = self.assert_seen(was_linked=None, verified=None, cause="unreadable")
        self.assertEqual(entry.outcome, "linked")

    def test_only_the_look_before_fails(self) -> None:
        self.fault(status=503)
        self.assert_seen(was_linked=None, verified=True)

    def test_only_the_look_after_fails(self) -> None:
        self.fault()  # plays the ordinary answer
        self.fault(status=503)
        self.assert_seen(was_linked=False, verified=None, cause="hubspot_down")

    def test_the_entry_is_older_than_the_first_look(self) -> None:
        created = self.link().created_at
        first = datetime.fromisoformat(self.sandbox.requests[0]["received_at"])
        self.assertIn(LOOK, self.sandbox.requests[0]["path"])
        self.assertLessEqual(created.replace(microsecond=created.microsecond // 1000 * 1000), first)


class CheckTests(VerificationTestCase):
    def test_a_log_in_which_checks_cannot_be_counted_is_told_in_the_stream(self) -> None:
        entry = self.link()
        away = mock.patch.object(services, "check_rate_of_checks", side_effect=OperationalError)
        with (
            away,
            self.assertLogs("associations.linking.services", "ERROR"),
            self.assertRaises(LogUnavailableError),
        ):
            services.check_again(user=self.user, entry=entry, meta=RequestMeta())

    def check(self, entry: AssociationRequest) -> AssociationCheck:
        meta = RequestMeta(client_ip="192.0.2.1", request_id="r")
        check = services.check_again(user=self.user, entry=entry, meta=meta)
        return AssociationCheck.objects.get(pk=check.pk)

    def test_what_is_seen_is_kept_and_the_entry_stays_as_it_is(self) -> None:
        entry = self.link()
        before = AssociationRequest.objects.values().get()
        check = self.check(entry)
        self.assertEqual((check.is_linked, check.is_default, check.labels), (True, True, []))
        self.assertEqual((check.user_name, check.request_id), ("Support", "r"))
        self.assertEqual(check.types[0]["type_id"], 279)
        self.assertEqual(AssociationRequest.objects.values().get(), before)

    def test_a_link_that_is_gone_and_one_by_a_label(self) -> None:
        entry = self.link()
        self.sandbox.reset()
        check = self.check(entry)
        self.assertEqual((check.is_linked, check.types, check.cause), (False, [], ""))
        self.sandbox.link(*PAIR, label="Decision maker")
        check = self.check(entry)
        self.assertEqual((check.is_linked, check.is_default), (True, False))
        self.assertEqual(check.labels, ["Decision maker"])

    def test_what_could_not_be_seen_says_why(self) -> None:
        entry = self.link()
        self.fault(status=503)
        check = self.check(entry)
        self.assertEqual((check.is_linked, check.cause), (None, "hubspot_down"))

    @override_settings(SUBMITS_PER_PERSON_PER_MINUTE=2)
    def test_nobody_checks_without_end(self) -> None:
        entry = self.link()
        self.check(entry)
        self.check(entry)
        with self.assertRaises(ThrottledError):
            self.check(entry)
        self.assertEqual(AssociationCheck.objects.count(), 2)
