"""What the tests of answers share."""

import json
from datetime import UTC, datetime
from typing import Any
from unittest import TestCase

from associations.hubspot.answers import (
    Answer,
    Attempt,
    read_answer,
)
from associations.hubspot.outcomes import Cause

NOW = datetime(2026, 11, 23, 10, 0, tzinfo=UTC)
PAT = "pat-na1-00000000-aaaa-bbbb-cccc-000000000000"


def result(from_id: Any, to_id: Any, type_id: int = 279) -> dict[str, Any]:
    spec = {"associationCategory": "HUBSPOT_DEFINED", "associationTypeId": type_id}
    return {"from": {"id": from_id}, "to": {"id": to_id}, "associationSpec": spec}


BOTH = [result("501", "902", 279), result("902", "501", 280)]
COMPLETE = {
    "status": "COMPLETE",
    "results": BOTH,
    "startedAt": "2026-11-23T10:00:00.123Z",
    "completedAt": "2026-11-23T10:00:00.456Z",
}
ERROR = {
    "status": "error",
    "category": "VALIDATION_ERROR",
    "message": "One or more associations are invalid",
    "context": {
        "INVALID_OBJECT_IDS": ["CONTACT=501 is not valid"],
        "objectId": ["501"],
        "objectType": ["CONTACT"],
    },
}


def attempt(status: int | None = 200, text: str = "", **fields: Any) -> Attempt:
    return Attempt(started_at=NOW, duration_ms=5, http_status=status, body=text, **fields)


def read_text(
    text: str, status: int = 200, from_id: str = "501", to_id: str = "902", **fields: Any
) -> Answer:
    return read_answer(attempt(status, text, **fields), from_object_id=from_id, to_object_id=to_id)


def read(body: Any, status: int = 200, **fields: Any) -> Answer:
    return read_text(json.dumps(body), status, **fields)


def complete(**changes: Any) -> dict[str, Any]:
    """An answer that proves the link, with changes; `...` leaves a field out."""
    return {name: value for name, value in (COMPLETE | changes).items() if value is not ...}


class AnswerTestCase(TestCase):
    def assert_cause(self, cause: Cause, answer: Answer) -> None:
        self.assertEqual(answer.cause, cause)
