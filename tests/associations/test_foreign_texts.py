"""Texts of others that turn, hide or break up what stands around them: on pages, in files, in logs.

They stand in the log as an earlier version, or a hand, has left them.
"""

import json
import re
from typing import Any

from django.utils import timezone

from associations.hubspot.unseen import unseen_in
from associations.models import AssociationRequest, BulkRun, SecurityEvent
from hubadmin.models import User
from tests.associations.audit.integrity.base import LogMixin
from tests.associations.linking.base import PageTestCase, run_of

ODD = "a\u202egnaw\u2066\u200bx\x9b\U000e0041"
SHOWN = "a⟨U+202E⟩gnaw⟨U+2066⟩⟨U+200B⟩x⟨U+009B⟩⟨U+E0041⟩"
PAGES = ("/", "/requests/", "/bulk/", "/audit/", "/audit/figures/", "/audit/exports/", "/status/")
LINE = {"from_object_type": "Contact", "from_object_id": "501"} | {
    "to_object_type": "Company",
    "to_object_id": "902",
}


class ShownTests(LogMixin, PageTestCase):
    def setUp(self) -> None:
        super().setUp()
        User.objects.filter(pk=self.admin.pk).update(name=ODD)
        self.user = self.admin
        self.admin.refresh_from_db()
        texts = {"user_name": ODD, "reason": ODD}
        facts: dict[str, Any] = {"queued": 2, "rejected": 1, "rows_invalid": 1, "rows_read": 3}
        self.run_ = run_of(self.admin, name=ODD, unused_columns=[ODD], **texts | facts)
        told = {"user_name": ODD, "what": "run_started", "at": timezone.now(), "user_agent": ODD}
        SecurityEvent.objects.create(run=self.run_, facts={"name": ODD, "why": ODD}, **told)
        bad = {"problem": "unknown_type", "facts": {"text": ODD}, "cells": {"reason": ODD}}
        self.run_.rows.create(number=2, line=3, state="invalid", problem_field="reason", **bad)
        said = [{"message": ODD, "category": ODD, "context": {ODD: [ODD]}, "errors": [ODD]}]
        told = {
            "errors": said,
            "error_text": ODD,
            "error_category": ODD,
            "status": ODD,
            "body": ODD,
        }
        told |= {"user_email": ODD, "user_agent": ODD, "request_id": ODD, "correlation_id": ODD}
        self.entry_ = self.entry(
            outcome="rejected", cause="refused", run=self.run_, row_number=1, **texts | told
        )
        self.attempt(self.entry_, number=2, failure="timed_out", detail=ODD, body=ODD + ODD)
        seen = {"is_linked": True, "types": [{"label": ODD}], "user_name": ODD}
        self.check(self.entry_, **seen)
        self.check(self.entry_, is_linked=None, cause="refused", error_text=ODD, types=[])
        self.export(user_name=ODD, query="reason=a%E2%80%AEb&correlation=%E2%80%AE")

    def paths(self) -> list[str]:
        own, run = self.entry_.get_absolute_url(), self.run_.get_absolute_url()
        filtered = "/audit/?reason=a%E2%80%AEb&error=%E2%80%AE&correlation=a%E2%80%AE"
        files = (f"{own}support-bundle.txt", f"{run}results.csv", f"{run}bad-rows.csv")
        return [*PAGES, own, run, *files, "/audit/export.csv", filtered]

    def text(self, path: str) -> str:
        return self.as_admin.get(path).getvalue().decode("utf-8-sig")

    def test_on_no_page_and_in_no_file_are_they_raw(self) -> None:
        for path in self.paths():
            with self.subTest(path):
                text = re.sub(r"<input[^>]*>", "", self.text(path))  # what was typed stays
                self.assertEqual(unseen_in(text), [])

    def test_each_is_shown_and_stands_apart(self) -> None:
        own = self.text(self.entry_.get_absolute_url())
        self.assertGreater(own.count(f"<bdi>{SHOWN}</bdi>"), 10)
        for path in ("/audit/", "/bulk/", "/audit/exports/", self.run_.get_absolute_url()):
            self.assertIn(f"<bdi>{SHOWN}</bdi>", self.text(path), path)

    def test_of_a_run_in_every_state(self) -> None:
        for state in ("ready", "paused", "unreadable", "canceled"):
            BulkRun.objects.update(state=state, problem="no_header", problem_facts={"found": ODD})
            self.assertEqual(unseen_in(self.text(self.run_.get_absolute_url())), [], state)

    def test_json_lines_are_what_was_sealed(self) -> None:
        line = self.text("/audit/export.jsonl").splitlines()[0]
        self.assertEqual(json.loads(line)["reason"], ODD)


class EnteringTests(PageTestCase):
    def submit(self, reason: str, **headers: str) -> Any:
        return self.client.post("/?submit", LINE | {"reason": reason}, headers=headers)

    def test_a_reason_is_refused_by_name_and_stays_as_it_was_typed(self) -> None:
        for text, names in (("SUP\u202e-1", "U+202E"), ("a\u200bb\u2066c", "U+200B, U+2066")):
            answer = self.submit(text)
            self.assertContains(answer, f"cannot be seen ({names})", status_code=422)
            self.assertIn(f'value="{text}"', answer.text)
        self.assertFalse(AssociationRequest.objects.exists())

    def test_around_it_they_are_left_out(self) -> None:
        self.submit("\ufeffSUP-1\u200b ", **{"User-Agent": "a\x9bb"})
        entry = AssociationRequest.objects.get()
        self.assertEqual((entry.reason, entry.user_agent), ("SUP-1", "a⟨U+009B⟩b"))
