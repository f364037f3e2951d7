"""A submit that nobody waits longer for than for the PUT: the looks around it are made by pages."""

import re
from collections.abc import Callable
from datetime import timedelta
from typing import Any
from unittest import mock

from django.db import DatabaseError, OperationalError, connection, transaction
from django.test import override_settings
from django.utils import timezone

from associations.audit import recorder
from associations.audit.integrity.sealing import seal_log
from associations.audit.recorder import abandoned, entries
from associations.linking import services
from associations.linking.seen import PAIR_SECONDS
from associations.models import AssociationRequest
from associations.texts.outcomes import explain
from tests.associations.linking.base import PageTestCase
from tests.support import LINK

TOKEN = re.compile(r'name="pair_seen" value="([^"]+)"')
HTMX = {"HX-Request": "true"}
PAIR = tuple(LINK.values())
LOOK = "associations/contacts/companies/batch/read"


class LookAfterTestCase(PageTestCase):
    def setUp(self) -> None:
        super().setUp()
        self.enterContext(mock.patch("associations.linking.verification.PAUSE", 0.05))

    def token(self, **fields: str) -> str:
        page = self.client.post("/preview/", LINK | fields, headers=HTMX).text
        return "".join(TOKEN.findall(page))

    def submitted(self, token: str | None = None, **fields: str) -> AssociationRequest:
        """What a submit with the token of the preview leaves in the log."""
        token = self.token() if token is None else token
        before = len(self.sandbox.requests)
        self.page = self.client.post("/", LINK | {"pair_seen": token} | fields)
        calls = [each["path"] for each in self.sandbox.requests[before:]]
        self.calls = [each for each in calls if LOOK in each or each in self.puts()]
        return AssociationRequest.objects.latest("id")

    def seen_by_page(self, entry: AssociationRequest) -> AssociationRequest:
        self.client.get(f"/latest/?linked={entry.pk}", headers=HTMX)
        entry.refresh_from_db()
        return entry


class ClosedByTheAnswerTests(LookAfterTestCase):
    def test_the_put_is_the_only_call(self) -> None:
        entry = self.submitted()
        self.assertEqual(self.calls, self.puts())
        self.assertEqual(len(self.calls), 1)
        self.assertEqual((entry.outcome, entry.cause), ("linked", "confirmed"))
        self.assertEqual((entry.was_linked, entry.verified, entry.look_due), (False, None, True))
        self.assertLess(entry.was_linked_at, entry.created_at)
        self.assertIn("looked up next", explain(entry).verification)
        (attempt,) = entry.attempts.all()
        self.assertEqual((attempt.number, attempt.late, attempt.http_status), (1, False, 200))

    def test_the_strip_says_what_is_known_and_its_part_looks(self) -> None:
        entry = self.submitted()
        page = self.client.get(self.page["Location"]).text
        self.assertIn("confirmed by HubSpot", page)
        self.assertNotIn("seen in HubSpot", page)
        self.assertIn(f'hx-get="/latest/?linked={entry.pk}"', page)
        part = self.client.get(f"/latest/?linked={entry.pk}", headers=HTMX).text
        self.assertIn("seen in HubSpot", part)
        entry.refresh_from_db()
        self.assertEqual((entry.verified, entry.look_due), (True, None))
        self.assertLess(entry.finished_at, entry.verified_at)
        page = self.client.get(self.page["Location"]).text
        self.assertIn("seen in HubSpot", page)
        self.assertNotIn('hx-get="/latest/', page)

    def test_it_is_looked_at_once(self) -> None:
        entry = self.seen_by_page(self.submitted())
        before = len(self.sandbox.requests)
        again = self.seen_by_page(entry)
        self.assertEqual(again.verified_at, entry.verified_at)
        self.assertFalse([each for each in self.sandbox.requests[before:] if LOOK in each["path"]])

    def test_of_two_looks_at_once_the_first_one_counts(self) -> None:
        entry = self.submitted()
        other = AssociationRequest.objects.get(pk=entry.pk)
        services.look_after(entry)
        self.assertEqual(services.look_after(other).verified_at, entry.verified_at)

    def test_what_is_linked_already_changes_nothing(self) -> None:
        self.sandbox.link(*PAIR)
        entry = self.submitted()
        self.assertTrue(entry.was_linked)
        self.assertIn("was already linked", explain(entry).sentence)
        self.assertTrue(self.seen_by_page(entry).verified)

    def test_a_lie_is_found(self) -> None:
        token = self.token()
        self.sandbox.fault(method="PUT", apply=False)
        entry = self.seen_by_page(self.submitted(token))
        self.assertEqual((entry.outcome, entry.verified), ("linked", False))
        self.assertIn("was not there", explain(entry).verification)

    def test_a_look_that_is_not_possible_says_why(self) -> None:
        entry = self.submitted()
        self.sandbox.fault(method="POST", path=LOOK, status=401)
        entry = self.seen_by_page(entry)
        self.assertEqual((entry.verified, entry.unverified_cause), (None, "token_refused"))
        self.assertIsNone(entry.look_due)

    def test_a_record_that_is_merged_meanwhile_is_told(self) -> None:
        entry = self.submitted()
        self.sandbox.merge("companies", "902", "903")
        entry = self.seen_by_page(entry)
        self.assertEqual((entry.to_merged_into, entry.verified), ("903", True))

    def test_all_else_is_looked_at_at_once(self) -> None:
        token = self.token()
        self.sandbox.fault(method="PUT", reset="after", times=None)
        entry = self.submitted(token)
        self.assertEqual((entry.outcome, entry.was_linked), ("unreachable", False))
        self.assertEqual((entry.verified, entry.look_due), (True, None))

    def test_a_refusal_keeps_what_was_seen_before(self) -> None:
        token = self.token()
        self.sandbox.fault(method="PUT", status=403)
        entry = self.submitted(token)
        self.assertEqual((entry.outcome, entry.was_linked), ("rejected", False))
        self.assertIsNone(entry.look_due)

    def test_undo_looks_first(self) -> None:
        entry = self.submitted()
        self.client.post(f"/requests/{entry.pk}/undo/", {"reason": ""})
        entry.refresh_from_db()
        self.assertEqual((entry.verified, entry.look_due), (True, None))
        self.assertEqual(entry.undos.get().outcome, "unlinked")


class TokenTests(LookAfterTestCase):
    def assert_looked_at_once(self, entry: AssociationRequest) -> None:
        self.assertEqual((entry.verified, entry.look_due, len(self.calls)), (True, None, 3))
        self.assertLessEqual(entry.created_at, entry.was_linked_at)

    def test_one_that_is_old(self) -> None:
        token = self.token()
        later = timezone.now() + timedelta(seconds=PAIR_SECONDS + 2)
        with mock.patch("associations.linking.seen.timezone.now", return_value=later):
            self.assert_looked_at_once(self.submitted(token))

    def test_one_of_another_pair(self) -> None:
        other = self.token(to_object_id="903")
        self.assertTrue(other)
        self.assert_looked_at_once(self.submitted(other))

    def test_one_of_the_pair_the_other_way_round(self) -> None:
        names = ("object_type", "object_id")
        turned = {f"from_{name}": LINK[f"to_{name}"] for name in names}
        turned |= {f"to_{name}": LINK[f"from_{name}"] for name in names}
        self.assert_looked_at_once(self.submitted(self.token(**turned)))

    def test_one_that_somebody_made(self) -> None:
        self.assert_looked_at_once(self.submitted(self.token()[:-2] + "xx"))

    def test_none(self) -> None:
        self.assert_looked_at_once(self.submitted(""))

    def test_none_is_handed_out_for_what_was_not_seen(self) -> None:
        self.sandbox.fault(method="POST", path=LOOK, status=503, times=None)
        self.assertEqual(self.token(), "")

    def test_nor_for_a_record_that_was_merged(self) -> None:
        self.sandbox.merge("companies", "902", "903")
        self.assertEqual(self.token(), "")

    def test_nor_where_there_is_no_script_to_look_afterwards(self) -> None:
        page = self.client.post("/", LINK | {"check": "1"}).text
        self.assertIn("They are not linked yet.", page)
        self.assertEqual(TOKEN.findall(page), [])

    def test_nor_where_verifying_is_switched_off(self) -> None:
        with override_settings(HUBSPOT_VERIFY=False):
            self.assertEqual(self.token(), "")

    def test_of_several_only_the_pair_that_was_shown(self) -> None:
        self.client.post("/", LINK | {"pair_seen": self.token(), "also": "903"})
        due = AssociationRequest.objects.values_list("to_object_id", "look_due").order_by("id")
        self.assertEqual(dict(due), {"902": True, "903": None})


class NobodyCameTests(LookAfterTestCase):
    """The browser is gone before the page's part has looked."""

    def test_a_worker_looks(self) -> None:
        entry = self.submitted()
        self.enterContext(mock.patch.object(services, "LEFT_TO_PAGES", timedelta(0)))
        self.assertTrue(services.is_look_left())
        self.assertTrue(services.look_after_one())
        self.assertFalse(services.is_look_left() or services.look_after_one())
        entry.refresh_from_db()
        self.assertEqual((entry.verified, entry.look_due), (True, None))

    def test_it_leaves_the_page_its_time(self) -> None:
        self.submitted()
        self.assertFalse(services.is_look_left() or services.look_after_one())

    def test_where_there_is_no_worker_the_log_says_that_nobody_looked(self) -> None:
        entry = self.submitted()
        recorder.close_abandoned()
        entry.refresh_from_db()
        self.assertTrue(entry.look_due, "there is time yet")
        with mock.patch.object(abandoned, "CLOSING_GRACE", timedelta(hours=-1)):
            recorder.close_abandoned()
        entry.refresh_from_db()
        self.assertEqual((entry.verified, entry.look_due), (None, None))
        self.assertEqual((entry.outcome, entry.unverified_cause), ("linked", "interrupted"))

    def test_a_look_that_is_made_just_before_it_is_given_up_counts(self) -> None:
        entry = self.submitted()
        looked: list[AssociationRequest] = []

        def look_first(execute: Callable, statement: str, *more: Any) -> Any:
            if statement.startswith("UPDATE") and not looked:
                looked.append(AssociationRequest.objects.get(pk=entry.pk))
                services.look_after(looked[0])
            return execute(statement, *more)

        late = mock.patch.object(abandoned, "CLOSING_GRACE", timedelta(hours=-1))
        no_error = self.assertNoLogs("associations.audit.recorder", "ERROR")
        with late, no_error, connection.execute_wrapper(look_first):
            recorder.close_abandoned()
        self.assertTrue(looked)
        entry.refresh_from_db()
        self.assertEqual((entry.verified, entry.unverified_cause), (True, ""))


class ProofTests(LookAfterTestCase):
    def assert_refused(self, entry: AssociationRequest, **values: object) -> None:
        with self.assertRaisesRegex(DatabaseError, "never changes"), transaction.atomic():
            AssociationRequest.objects.filter(pk=entry.pk).update(**values)

    def test_no_seal_holds_it_before_it_was_looked_at(self) -> None:
        entry = self.submitted()
        self.assertEqual([*seal_log()], [])
        self.seen_by_page(entry)
        self.assertEqual([f"entry {entry.pk}" in each.manifest for each in seal_log()], [True])

    def test_what_it_asked_for_never_changes_and_after_the_look_nothing(self) -> None:
        entry = self.submitted()
        self.assert_refused(entry, reason="another")
        self.seen_by_page(entry)
        self.assert_refused(entry, verified=False)
        self.assert_refused(entry, look_due=True)

    def test_a_log_that_fails_leaves_the_look_to_be_made(self) -> None:
        entry = self.submitted()
        fails = mock.patch.object(entries, "close", side_effect=OperationalError("away"))
        with fails, self.assertLogs("associations.audit.recorder", "ERROR"):
            self.assertTrue(services.look_after(entry).look_due)
        self.assertTrue(self.seen_by_page(entry).verified)

    def test_a_closing_that_fails_leaves_it_open_with_nothing_lost(self) -> None:
        token = self.token()
        fails = mock.patch.object(entries, "close", side_effect=OperationalError("away"))
        with fails, self.assertLogs("associations.audit.recorder", "ERROR") as logged:
            entry = self.submitted(token)
        self.assertEqual((entry.outcome, entry.was_linked), ("sending", False))
        self.assertEqual(logged.records[-1].http_status, 200)
