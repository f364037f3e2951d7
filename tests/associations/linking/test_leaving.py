"""Whoever leaves while their request is under way: nothing more of it reaches HubSpot."""

import time
from collections.abc import Callable
from io import StringIO
from unittest import mock

from django.contrib.sessions.models import Session
from django.core.management import call_command
from django.db import DatabaseError
from django.test import TestCase, override_settings, tag

from associations.hubspot.outcomes import Cause, Linked, Outcome
from associations.linking import services
from associations.models import AssociationRequest
from hubadmin.models import Role, User
from tests.associations.linking.base import PageTestCase, entry_of
from tests.support import LINK, SandboxMixin, SignedInClient, person

BUSY = {"status": 429, "headers": {"Retry-After": "3"}}
SLEEP = "associations.hubspot.client.time.sleep"


@tag("one_database")
class SubmitTests(PageTestCase):
    """HubSpot is busy for some seconds, and they leave while the second try waits."""

    def ways_to_leave(self) -> dict[str, Callable[[], object]]:
        other_tab = SignedInClient()
        other_tab.cookies = self.client.cookies.copy()
        return {
            "deactivated": lambda: call_command(
                "people", deactivate=str(self.user.pk), stdout=StringIO()
            ),
            "role lost": lambda: User.objects.filter(pk=self.user.pk).update(role=Role.NONE),
            "signed out": lambda: other_tab.post("/sign-out"),
            "session ended": Session.objects.all().delete,
        }

    def submit(self, while_waiting: Callable[[], object]) -> AssociationRequest:
        real = time.sleep

        def sleep(seconds: float) -> None:
            if seconds > 1:  # not the moment between two looks
                while_waiting()
            real(seconds)

        with mock.patch(SLEEP, sleep):
            self.client.post("/", LINK)
        return AssociationRequest.objects.latest("pk")

    def test_no_further_try_is_made(self) -> None:
        for name in self.ways_to_leave():
            self.user = person(f"leaver, {name}", "support")
            self.client = SignedInClient(self.user)
            self.sandbox.reset()
            self.sandbox.fault(**BUSY)
            entry = self.submit(self.ways_to_leave()[name])
            with self.subTest(name):
                self.assertEqual(len(self.puts()), 1)
                self.assertEqual((entry.outcome, entry.cause), ("rejected", "rate_limited"))
                told = [*entry.attempts.order_by("number").values_list("http_status", "failure")]
                self.assertEqual(told, [(429, ""), (None, "access_ended")])

    def test_whoever_stays_has_it_tried_again(self) -> None:
        self.sandbox.fault(**BUSY)
        entry = self.submit(lambda: None)
        self.assertEqual((entry.outcome, len(self.puts())), ("linked", 2))

    def test_it_costs_no_query_where_nothing_waits(self) -> None:
        with mock.patch("hubadmin.web.access.may_act") as may_act:
            self.client.post("/", LINK)
        self.assertEqual((may_act.mock_calls, len(self.puts())), ([], 1))


class CauseTests(SandboxMixin, TestCase):
    def submitted(self, *answers: bool) -> AssociationRequest:
        """Asked before each call whether its person is in still; from the last answer on, so."""
        left = list(answers)
        return services.create_association(
            user=person(),
            is_still_in=lambda: left.pop(0) if len(left) > 1 else left[0],
            **LINK,
        )

    def test_what_was_never_sent_is_canceled(self) -> None:
        for is_verified in (True, False):
            with override_settings(HUBSPOT_VERIFY=is_verified):
                entry = self.submitted(False)
            with self.subTest(is_verified=is_verified):
                self.assertEqual(self.sandbox.requests, [])
                told = (entry.outcome, entry.cause, entry.linked)
                self.assertEqual(told, (Outcome.CANCELED, Cause.ACCESS_ENDED, Linked.NO))
                self.assertTrue(entry.was_never_sent)

    def test_a_try_that_may_have_linked_leaves_the_doubt(self) -> None:
        self.sandbox.fault(delay=1.3)
        entry = self.submitted(True, True, False)
        told = (entry.outcome, entry.cause, entry.linked)
        self.assertEqual(told, (Outcome.UNREACHABLE, Cause.TIMED_OUT, Linked.PERHAPS))

    @override_settings(HUBSPOT_VERIFY=True)
    def test_what_is_linked_is_not_looked_up_for_them_afterwards(self) -> None:
        entry = self.submitted(True, True, False)
        self.assertEqual((entry.outcome, entry.unverified_cause), ("linked", "access_ended"))
        self.assertEqual([each["method"] for each in self.sandbox.requests], ["POST", "PUT"])

    def test_a_database_that_cannot_be_asked_sends_nothing_and_blames_nobody(self) -> None:
        user = person()
        with self.assertLogs("associations.linking.services", "ERROR"):
            entry = services.create_association(
                user=user, is_still_in=mock.Mock(side_effect=DatabaseError), **LINK
            )
        entry.refresh_from_db()
        self.assertEqual((entry.outcome, entry.cause), ("sending", ""))
        self.assertEqual(self.puts(), [])

    def test_a_check_is_not_made_either(self) -> None:
        user = person()
        meta = mock.Mock(client_ip=None, request_id="", client_request_id="")
        check = services.check_again(
            user=user, entry=entry_of(user), meta=meta, is_still_in=lambda: False
        )
        self.assertEqual((check.is_linked, check.cause), (None, "access_ended"))
        self.assertEqual(self.sandbox.requests, [])
