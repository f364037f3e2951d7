"""Undo: offered where it takes nothing else away, logged before it leaves, looked at afterwards."""

from datetime import timedelta
from typing import Any
from unittest import mock

import requests
from django.db import IntegrityError, connection, transaction
from django.test import override_settings
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from associations.audit import recorder
from associations.audit.recorder import RequestMeta
from associations.hubspot.outcomes import Cause, Linked
from associations.linking import services, undo
from associations.linking.undo import Bar, NotUndoableError
from associations.models import AssociationRequest, AuditFilter
from associations.texts.outcomes import explain
from tests.associations.linking.base import PageTestCase, entry_of
from tests.associations.linking.test_verification import VerificationTestCase
from tests.support import LINK, person

PAIR = tuple(LINK.values())
ARCHIVE, DELETE = "batch/labels/archive", "/crm/v4/objects/"


class UndoTestCase(VerificationTestCase):
    def setUp(self) -> None:
        super().setUp()
        self.enterContext(mock.patch("associations.linking.undo.PAUSE", 0.05))
        self.entry = self.link()

    def undo(self, **asked: Any) -> AssociationRequest:
        values = {"user": self.user, "entry": self.entry, "reason": "SUP-9", "meta": RequestMeta()}
        own = undo.undo(**(values | {"is_still_in": lambda: True} | asked))
        return AssociationRequest.objects.get(pk=own.pk)

    def assert_barred(self, bar: Bar, **asked: Any) -> NotUndoableError:
        before = AssociationRequest.objects.count()
        with self.assertRaises(NotUndoableError) as raised:
            self.undo(**asked)
        self.assertEqual(raised.exception.bar, bar)
        self.assertEqual(AssociationRequest.objects.count(), before)
        self.assertEqual(self.removals(), [])
        return raised.exception

    def removals(self) -> list[str]:
        paths = [(each["method"], each["path"]) for each in self.sandbox.requests]
        return [
            path.partition("/crm/")[2]
            for method, path in paths
            if method == "DELETE" or path.endswith(ARCHIVE)
        ]

    def linked(self) -> list[str]:
        links = self.sandbox.links.seen("contacts", "501", "companies")
        return [str(each.label) for each in links.get("902", [])]


class UndoTests(UndoTestCase):
    def test_it_is_an_entry_of_its_own_and_the_link_is_gone(self) -> None:
        own = self.undo()
        self.assertEqual((own.outcome, own.cause, own.verified), ("unlinked", "seen_gone", True))
        self.assertEqual((own.undoes_id, own.reason), (self.entry.pk, "SUP-9"))
        self.assertEqual(list(self.entry.undos.all()), [own])
        self.assertEqual(own.linked, Linked.NO)
        self.assertEqual(self.linked(), [])
        self.assertEqual([each.call for each in own.read_attempts], ["archive"])
        self.assertEqual(len(own.links_before["there"]), 1)
        self.assertEqual((own.links_after["there"], own.links_after["back"]), ([], []))
        said = explain(own)
        self.assertIn("no longer linked", said.sentence)
        self.assertIn("that is gone as well", said.verification)

    def test_the_first_entry_stays_as_it_is(self) -> None:
        before = AssociationRequest.objects.filter(pk=self.entry.pk).values().get()
        self.undo()
        self.assertEqual(AssociationRequest.objects.filter(pk=self.entry.pk).values().get(), before)

    def test_it_is_logged_before_it_leaves(self) -> None:
        entries = []

        def attempted(entry: AssociationRequest, *args: Any) -> None:
            entries.append(AssociationRequest.objects.get(pk=entry.pk).outcome)

        with mock.patch.object(recorder, "record_attempt", attempted):
            self.undo()
        self.assertEqual(entries, ["sending"])

    def test_once_undone_it_is_not_undone_again(self) -> None:
        self.undo()
        with self.assertRaises(NotUndoableError) as raised:
            self.undo()
        self.assertEqual(raised.exception.bar, Bar.UNDONE)
        self.assertEqual(len(self.removals()), 1)

    def test_it_may_be_linked_again_and_that_be_undone(self) -> None:
        self.undo()
        again = self.link()
        self.assertEqual(self.undo(entry=again).outcome, "unlinked")

    def test_two_at_once_are_one(self) -> None:
        entry_of(self.user, outcome="sending", cause="", finished_at=None, undoes=self.entry)
        self.assert_barred(Bar.UNDER_WAY)
        with self.assertRaises(IntegrityError), transaction.atomic():
            entry_of(self.user, outcome="queued", cause="", finished_at=None, undoes=self.entry)


class BarTests(UndoTestCase):
    def test_one_that_was_linked_before(self) -> None:
        self.assert_barred(Bar.WAS_LINKED, entry=self.link())

    def test_one_of_which_nobody_knows_that(self) -> None:
        with override_settings(HUBSPOT_VERIFY=False):
            entry = services.create_association(user=self.user, **LINK | {"to_object_id": "903"})
        self.assert_barred(Bar.NOT_KNOWN, entry=entry)

    def test_one_that_linked_nothing(self) -> None:
        self.assert_barred(Bar.NOT_LINKED, entry=entry_of(self.user, outcome="rejected"))
        undone = entry_of(self.user, outcome="unlinked", cause="seen_gone", undoes=self.entry)
        self.assert_barred(Bar.NOT_LINKED, entry=undone)

    def test_one_that_somebody_else_asked_for_since(self) -> None:
        services.create_association(user=person("grace"), **LINK)
        self.assert_barred(Bar.ASKED_AGAIN)

    def test_but_not_one_that_they_asked_for_themselves(self) -> None:
        self.link()
        self.assertEqual(self.undo().outcome, "unlinked")

    def test_one_of_long_ago_is_an_admins(self) -> None:
        self.entry.created_at = timezone.now() - timedelta(hours=25)
        self.assert_barred(Bar.TOO_LATE)
        admin = person("admin")
        self.assertEqual(self.undo(user=admin).outcome, "unlinked")

    def test_one_that_is_gone(self) -> None:
        self.sandbox.links.remove("contacts", "companies", ("501", "902"))
        self.assert_barred(Bar.GONE)

    def test_one_that_has_a_label_by_now(self) -> None:
        self.sandbox.link(*PAIR, label="Decision maker")
        error = self.assert_barred(Bar.NOT_ALONE)
        self.assertIn("Decision maker", error.look.types.labels)
        self.assertEqual(self.linked(), ["None", "Decision maker"])

    def test_a_record_that_was_merged_since(self) -> None:
        self.sandbox.merge("contacts", "501", "502")
        self.assert_barred(Bar.MERGED)

    def test_what_cannot_be_looked_at_is_not_touched(self) -> None:
        self.fault(status=500, times=None)
        self.assert_barred(Bar.NOT_SEEN)

    def test_nor_is_what_only_one_of_the_two_records_shows(self) -> None:
        path = "companies/contacts/batch/read"
        self.sandbox.fault(method="POST", path=path, status=200, body={"results": []}, times=None)
        error = self.assert_barred(Bar.NOT_SEEN).look.error
        self.assertEqual(error.cause, Cause.NOT_SHOWN)


class AnswerTests(UndoTestCase):
    def fault_removal(self, **fields: Any) -> None:
        self.sandbox.fault(**({"method": "POST", "path": ARCHIVE} | fields))

    def test_a_hubspot_without_that_call_is_asked_in_another_way(self) -> None:
        self.fault_removal(status=404, times=None)
        own = self.undo()
        self.assertEqual(own.outcome, "unlinked")
        self.assertEqual(
            [each.call for each in own.read_attempts], ["archive", "archive", "delete"]
        )

    def test_a_yes_that_removes_nothing_is_found_out(self) -> None:
        self.fault_removal(apply=False, times=None)
        self.assertEqual(self.undo().outcome, "unlinked")

    def test_and_if_nothing_helps_it_says_so(self) -> None:
        self.fault_removal(apply=False, times=None)
        self.sandbox.fault(method="DELETE", apply=False, times=None)
        own = self.undo()
        self.assertEqual((own.outcome, own.cause), ("unconfirmed", "still_linked"))
        self.assertEqual((own.verified, own.linked), (False, Linked.YES))
        self.assertIn("but they are linked", explain(own).sentence)

    def test_a_lost_answer_is_settled_by_the_look(self) -> None:
        self.fault_removal(reset="after")
        own = self.undo()
        self.assertEqual((own.outcome, own.verified), ("unlinked", True))
        self.assertEqual(len(own.read_attempts), 1)

    def test_one_that_did_nothing_is_made_again(self) -> None:
        self.fault_removal(status=503)
        own = self.undo()
        self.assertEqual([each.http_status for each in own.read_attempts], [503, 204])
        self.assertEqual(own.outcome, "unlinked")

    def test_a_label_that_comes_between_two_attempts_stays(self) -> None:
        self.fault_removal(status=503, times=None)
        original = undo._look_after

        def labelled(*args: Any) -> Any:
            self.sandbox.link(*PAIR, label="Decision maker")
            return original(*args)

        with mock.patch.object(undo, "_look_after", labelled):
            own = self.undo()
        self.assertEqual((own.outcome, own.cause), ("unreachable", "hubspot_down"))
        self.assertEqual(self.linked(), ["None", "Decision maker"])
        self.assertEqual(len(own.read_attempts), 1)
        self.assertIn("Decision maker", explain(own).verification)

    def test_a_refusal_leaves_the_link(self) -> None:
        self.fault_removal(status=401, times=None)
        own = self.undo()
        self.assertEqual((own.outcome, own.cause), ("rejected", "token_refused"))
        self.assertEqual((own.verified, own.linked), (False, Linked.YES))
        self.assertIn("was not removed", explain(own).sentence)

    def test_a_yes_that_nobody_can_look_at(self) -> None:
        original = undo._look_after

        def blind(*args: Any) -> Any:
            self.fault(status=500, times=None)
            return original(*args)

        with mock.patch.object(undo, "_look_after", blind):
            own = self.undo()
        self.assertEqual((own.outcome, own.cause), ("unconfirmed", "not_seen_gone"))
        self.assertEqual((own.linked, own.unverified_cause), (Linked.PERHAPS, "hubspot_error"))

    def test_nothing_leaves_for_somebody_who_has_left(self) -> None:
        own = self.undo(is_still_in=mock.Mock(side_effect=[True, True, False, False, False, False]))
        self.assertEqual((own.outcome, own.cause), ("canceled", "access_ended"))
        self.assertEqual(self.removals(), [])

    def test_a_crash_leaves_what_is_known(self) -> None:
        died = mock.patch.object(recorder, "close_entry", side_effect=KeyboardInterrupt)
        with died, self.assertRaises(KeyboardInterrupt):
            self.undo()
        AssociationRequest.objects.filter(outcome="sending").update(
            sent_at=timezone.now() - timedelta(hours=1)
        )
        recorder.close_abandoned()
        own = self.entry.undos.get()
        self.assertEqual((own.outcome, own.cause), ("unconfirmed", "not_seen_gone"))

    def test_and_a_crash_before_the_answer_too(self) -> None:
        died = mock.patch.object(recorder, "record_attempt", side_effect=KeyboardInterrupt)
        with died, self.assertRaises(KeyboardInterrupt):
            self.undo()
        AssociationRequest.objects.filter(outcome="sending").update(
            sent_at=timezone.now() - timedelta(hours=1)
        )
        recorder.close_abandoned()
        own = self.entry.undos.get()
        self.assertEqual((own.outcome, own.cause), ("unreachable", "interrupted"))
        self.assertEqual(own.linked, Linked.PERHAPS)


class UndoPageTests(PageTestCase):
    def setUp(self) -> None:
        super().setUp()
        self.enterContext(mock.patch("associations.linking.verification.PAUSE", 0.05))
        self.entry = services.create_association(user=self.user, **LINK)
        self.url = f"/requests/{self.entry.pk}/undo/"

    def test_from_the_entry_to_its_undo_and_back(self) -> None:
        self.assertContains(self.client.get(self.entry.get_absolute_url()), self.url)
        page = self.client.get(self.url)
        self.assertContains(page, "Remove the link")
        self.assertEqual(AssociationRequest.objects.count(), 1, "a look is no entry")
        own_page = self.client.post(self.url, {"reason": "wrong company"}, follow=True)
        own = self.entry.undos.get()
        self.assertContains(own_page, f"It undoes entry {self.entry.pk}")
        self.assertContains(own_page, "no longer linked")
        self.assertEqual(own.reason, "wrong company")
        first = self.client.get(self.entry.get_absolute_url())
        self.assertContains(first, own.get_absolute_url())
        self.assertNotContains(first, self.url)

    def test_nothing_on_its_page_tells_of_a_link_that_was_made(self) -> None:
        self.client.post(self.url, {"reason": "wrong company"})
        own = self.entry.undos.get()
        page = self.as_admin.get(own.get_absolute_url())
        self.assertContains(page, "Looked up: not linked")
        self.assertNotContains(page, "not by this request")
        bundle = self.as_admin.get(f"{own.get_absolute_url()}support-bundle.txt").content.decode()
        self.assertNotIn("PUT", bundle)
        self.assertIn("Attempt 1: POST .../batch/labels/archive", bundle)

    def test_the_log_does_not_call_it_linked_and_verified(self) -> None:
        self.client.post(self.url, {"reason": "wrong company"})
        found = AssociationRequest.objects.matching(AuditFilter(seen="verified"))
        self.assertEqual(list(found), [self.entry])

    def test_the_strip_offers_it(self) -> None:
        self.assertContains(self.client.get(f"/?linked={self.entry.pk}"), self.url)

    def test_why_not_is_told_and_how_else(self) -> None:
        self.sandbox.link(*PAIR, label="Decision maker")
        page = self.client.post(self.url, {"reason": "x"})
        self.assertContains(page, "Decision maker", status_code=409)
        self.assertNotContains(page, "Remove the link", status_code=409)

    def test_a_long_reason_comes_back(self) -> None:
        page = self.client.post(self.url, {"reason": "x" * 501})
        self.assertContains(page, "Keep the reason to 500", status_code=422)
        self.assertFalse(self.entry.undos.exists())

    def test_anothers_is_nobodys_business_but_an_admins(self) -> None:
        other = entry_of(person("grace"), was_linked=False)
        self.assertEqual(self.client.get(f"/requests/{other.pk}/undo/").status_code, 404)
        self.assertEqual(self.as_admin.get(f"/requests/{other.pk}/undo/").status_code, 200)

    def test_too_much_at_once_says_when(self) -> None:
        with mock.patch("associations.gateway.rate_limiter.look_wait", return_value=7):
            page = self.client.post(self.url, {"reason": "x"})
        self.assertContains(page, "7 seconds", status_code=429)
        self.assertEqual(page["Retry-After"], "7")


class ListTests(PageTestCase):
    """What was undone says so wherever it stands in a list as linked."""

    def test_lists_tell_it_and_ask_nothing_more(self) -> None:
        entries = [entry_of(self.user) for _ in range(5)]
        found = []
        for undone in ([], entries[-1:], entries[:-1]):
            for entry in undone:
                entry_of(self.user, undoes=entry, outcome="unlinked", cause="seen_gone")
            with CaptureQueriesContext(connection) as queries:
                pages = [self.client.get("/requests/"), self.client.get("/")]
                pages += [self.as_admin.get("/audit/"), self.as_admin.get("/audit/?outcome=linked")]
            found.append(len(queries))
            told = [page.text.count("undone since") for page in pages]
            count = AssociationRequest.objects.exclude(undoes=None).count()
            self.assertEqual(told[:1] + told[2:], [count] * 3)
            self.assertIs(told[1] > 0, count > 0)  # it has the latest ones
        self.assertEqual(len({*found[1:]}), 1)

    def test_one_that_was_not_taken_back_does_not_say_so(self) -> None:
        entry = entry_of(self.user)
        for outcome, cause in (("canceled", "not_alone"), ("unconfirmed", "not_seen_gone")):
            entry_of(self.user, undoes=entry, outcome=outcome, cause=cause)
        for client, page in ((self.client, "/requests/"), (self.as_admin, "/audit/")):
            self.assertNotContains(client.get(page), "undone since")


class SandboxTests(VerificationTestCase):
    """The stand-in removes as HubSpot does."""

    def test_the_default_takes_the_labels_along(self) -> None:
        self.sandbox.link(*PAIR)
        self.sandbox.link(*PAIR, label="Primary")
        self.archive("HUBSPOT_DEFINED", 279)
        self.assertEqual(self.sandbox.links.seen("contacts", "501", "companies"), {})
        self.assertEqual(self.sandbox.links.seen("companies", "902", "contacts"), {})

    def test_a_label_goes_alone_and_in_both_directions(self) -> None:
        self.sandbox.link(*PAIR)
        self.sandbox.link(*PAIR, label="Decision maker")
        self.archive("USER_DEFINED", 37)
        seen = self.sandbox.links.seen("contacts", "501", "companies")["902"]
        self.assertEqual([each.type_id for each in seen], [279])
        seen = self.sandbox.links.seen("companies", "902", "contacts")["501"]
        self.assertEqual([each.type_id for each in seen], [280])

    def test_a_wrong_category_removes_nothing(self) -> None:
        self.sandbox.link(*PAIR)
        self.assertEqual(self.archive("USER_DEFINED", 279), 204)
        self.assertTrue(self.sandbox.links.seen("contacts", "501", "companies"))

    def archive(self, category: str, number: int) -> int:
        types = [{"associationCategory": category, "associationTypeId": number}]
        pair = {"from": {"id": "501"}, "to": {"id": "902"}, "types": types}
        answer = requests.post(
            f"{self.sandbox.url}/crm/v4/associations/contacts/companies/batch/labels/archive",
            json={"inputs": [pair]},
            headers={"Authorization": "Bearer sandbox"},
            timeout=5,
        )
        return answer.status_code
