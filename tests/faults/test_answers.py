"""Each fault the sandbox can play, each error HubSpot is known to give: what becomes of it.

`FAULT_TABLE=1 python manage.py test tests.faults.test_answers` also prints the table.
"""

import os
from typing import Any
from unittest import mock

from django.test import TestCase, tag

from associations.hubspot.client import Limits
from associations.linking import services
from associations.texts.outcomes import explain
from tests.support import LINK, SandboxMixin, person

PAIR_RESULT = {"from": {"id": "501"}, "to": {"id": "902"}, "associationSpec": {}}
OK = {"status": "COMPLETE", "results": [PAIR_RESULT], "startedAt": "x", "completedAt": None}
NO_RECORD = {
    "status": "error",
    "message": "One or more associations are invalid",
    "category": "VALIDATION_ERROR",
    "correlationId": "c",
    "context": {"INVALID_OBJECT_IDS": ["CONTACT=501 is not valid"], "objectId": ["501"]},
}


def error(message: str, **fields: Any) -> dict[str, Any]:
    return {"status": "error", "message": message, "correlationId": "c"} | fields


def always(**fault: Any) -> dict[str, Any]:
    return fault | {"times": None}


# name, the fault, attempts, outcome, cause, words on the page
CASES: list[tuple[str, dict[str, Any], int, str, str, str]] = [
    # What may go wrong on the way
    ("reset before the link was made", always(reset="before"), 3, "unreachable", "connection_lost", "broke"),
    ("reset after the link was made", always(reset="after"), 3, "unreachable", "connection_lost", "there when it was looked up"),
    ("reset once", {"reset": "after"}, 2, "linked", "confirmed", "is now linked"),
    ("truncated once", {"truncate": 30}, 2, "linked", "confirmed", "is now linked"),
    ("truncated always", always(truncate=30), 3, "unreachable", "connection_lost", "there when it was looked up"),
    ("slow, within the timeout", {"delay": 0.2}, 1, "linked", "confirmed", "is now linked"),
    ("no answer in time", always(delay=3), 3, "unreachable", "timed_out", "did not answer in time"),
    ("body drips", always(drip=0.05), 3, "unreachable", "timed_out", "there when it was looked up"),
    ("headers drip", always(drip_headers=0.05), 3, "unreachable", "timed_out", "there when it was looked up"),
    # 2xx answers that prove nothing
    ("200 null", {"status": 200, "body": "null"}, 1, "unconfirmed", "unreadable", "could not be read"),
    ("200 []", {"status": 200, "body": "[]"}, 1, "unconfirmed", "unreadable", "could not be read"),
    ("200 HTML", {"status": 200, "body": "<p>", "content_type": "text/html"}, 1, "unconfirmed", "unreadable", "could not be read"),
    ("200 half a JSON", {"status": 200, "body": '{"status":'}, 1, "unconfirmed", "unreadable", "could not be read"),
    ("200 of 2 MiB", {"status": 200, "body": "x" * 2**21}, 1, "unconfirmed", "unreadable", "could not be read"),
    ("204", {"status": 204, "body": ""}, 1, "unconfirmed", "unreadable", "could not be read"),
    ("200 text/plain, whole", {"status": 200, "body": OK, "content_type": "text/plain"}, 1, "linked", "confirmed", "is now linked"),
    ("207, whole", {"status": 207, "body": OK}, 1, "linked", "confirmed", "is now linked"),
    ("200 PENDING", {"status": 200, "body": OK | {"status": "PENDING"}}, 1, "unconfirmed", "in_progress", "has not finished"),
    ("200 PROCESSING", {"status": 200, "body": OK | {"status": "PROCESSING"}}, 1, "unconfirmed", "in_progress", "has not finished"),
    ("200 CANCELED", {"status": 200, "body": {"status": "CANCELED", "results": []}}, 1, "rejected", "canceled_by_hubspot", "canceled"),
    ("200 CANCELLED", {"status": 200, "body": {"status": "CANCELLED"}}, 1, "rejected", "canceled_by_hubspot", "canceled"),
    ("200 unknown status", {"status": 200, "body": OK | {"status": "ODD"}}, 1, "unconfirmed", "unknown_status", "“ODD”"),
    ("200 no results", {"status": 200, "body": OK | {"results": []}}, 1, "unconfirmed", "not_shown", "does not show the link"),
    ("200 others' results", {"status": 200, "body": OK | {"results": [{"from": {"id": "1"}, "to": {"id": "2"}}]}}, 1, "unconfirmed", "not_shown", "does not show the link"),
    ("200 result and error", {"status": 200, "body": OK | {"errors": [NO_RECORD], "numErrors": 1}}, 1, "unconfirmed", "partly_failed", "contradicts itself"),
    ("200 errors only", {"status": 200, "body": {"status": "COMPLETE", "results": [], "numErrors": 1, "errors": [NO_RECORD | {"subCategory": {"a": 1}}]}}, 1, "rejected", "record_not_found", "no contact 501"),
    # Refusals
    ("302", {"status": 302, "headers": {"Location": "https://x.test/"}}, 1, "rejected", "redirected", "another one"),
    ("400 unknown type", {"status": 400, "body": error("Unable to infer object type from: foo")}, 1, "rejected", "unknown_object_type", "does not know one of the object types"),
    ("400 record not found", {"status": 400, "body": NO_RECORD}, 1, "rejected", "record_not_found", "no contact 501"),
    ("404 record not found", {"status": 404, "body": error("x", category="OBJECT_NOT_FOUND", context={"id": ["902"]})}, 1, "rejected", "record_not_found", "no company 902"),
    ("400 no default type", {"status": 400, "body": error("No default association type exists between A and B")}, 1, "rejected", "no_default_type", "no default way"),
    ("400 limit", {"status": 400, "body": error("The association limit was reached", category="VALIDATION_ERROR")}, 1, "rejected", "association_limit", "as many links"),
    ("400 anything else", {"status": 400, "body": error("Property x is required", category="VALIDATION_ERROR")}, 1, "rejected", "refused", "refused"),
    ("404 HTML", {"status": 404, "body": "<p>", "content_type": "text/html"}, 1, "rejected", "refused", "refused"),
    ("405", {"status": 405}, 1, "rejected", "refused", "refused"),
    ("409", {"status": 409}, 1, "rejected", "refused", "refused"),
    ("401", {"status": 401, "body": error("Authentication credentials not found.", category="INVALID_AUTHENTICATION")}, 1, "rejected", "token_refused", "access token"),
    ("403 scopes", {"status": 403, "body": error("x", category="MISSING_SCOPES", errors=[{"message": "y", "context": {"requiredGranularScopes": ["crm.objects.contacts.write"]}}])}, 1, "rejected", "scope_missing", "crm.objects.contacts.write"),
    ("403", {"status": 403, "body": error("no")}, 1, "rejected", "forbidden", "does not allow"),
    # Try again later
    ("423", always(status=423), 3, "rejected", "locked", "in a few seconds"),
    ("429 for a moment", {"status": 429, "headers": {"Retry-After": "0"}}, 2, "linked", "confirmed", "is now linked"),
    ("429 for longer", always(status=429, headers={"Retry-After": "40"}), 1, "rejected", "rate_limited", "in 40 seconds"),
    ("429 daily", always(status=429, body=error("x", policyName="DAILY")), 1, "rejected", "daily_limit", "once the limit is reset"),
    ("477", always(status=477, headers={"Retry-After": "600"}), 1, "rejected", "migrating", "in 10 minutes"),
    # HubSpot is ill
    ("500", always(status=500), 1, "unreachable", "hubspot_error", "error of its own"),
    ("502", always(status=502, body="<p>", content_type="text/html"), 3, "unreachable", "hubspot_down", "not available"),
    ("503", always(status=503), 3, "unreachable", "hubspot_down", "not available"),
    ("504 once", {"status": 504}, 2, "linked", "confirmed", "is now linked"),
]  # fmt: skip


@tag("one_database")
class AnswerTests(SandboxMixin, TestCase):
    limits = Limits(connect=1, read=0.5, total=8, attempts=3, pause=0.01)

    def setUp(self) -> None:
        super().setUp()
        self.enterContext(mock.patch("associations.linking.verification.PAUSE", 0.05))

    def test_every_case(self) -> None:
        user, rows = person(), []
        for name, fault, attempts, outcome, cause, words in CASES:
            with self.subTest(name):
                self.sandbox.reset()
                self.sandbox.fault(**fault)
                entry = services.create_association(user=user, **LINK)
                told = explain(entry)
                page = f"{told.sentence} {told.next_step}".strip()
                self.assertEqual(
                    (entry.attempts.count(), entry.outcome, entry.cause), (attempts, outcome, cause)
                )
                self.assertIn(words, page)
                rows.append(f"| {name} | {attempts} | {outcome} | {entry.linked} | {page} |")
        if os.environ.get("FAULT_TABLE"):
            print("| fault or body | tries | outcome | linked? | the page says |", *rows, sep="\n")
