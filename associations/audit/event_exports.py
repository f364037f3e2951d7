"""Copies of the security events: CSV for people, JSON lines in the form that is sealed."""

import csv
import io
import json
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

from django.db.models import QuerySet

from associations.audit.exports import end_line, harmless, readable_lines
from associations.hubspot.unseen import visible
from associations.models import SecurityEvent

ROWS_AT_ONCE = 1_000
CSV_COLUMNS = (
    *("id", "at", "what", "user_id", "user_name", "user_email", "role", "run_id", "facts"),
    *("client_ip", "user_agent", "request_id", "client_request_id"),
)
_Rows = list[tuple[dict[str, Any], str]]  # each with its canonical line


def csv_lines(events: QuerySet[SecurityEvent]) -> Iterator[bytes]:
    """Give the events, newest first, as `exports.py` does the entries."""
    yield b"\xef\xbb\xbf" + ",".join(CSV_COLUMNS).encode() + b"\n"
    for part in _stretches(events):
        text = io.StringIO()
        writer = csv.writer(text, quoting=csv.QUOTE_ALL, lineterminator="\n")
        writer.writerows(_cells(json.loads(line)) for _, line in part)
        yield visible(text.getvalue()).encode()


def json_lines(
    events: QuerySet[SecurityEvent], exported_at: datetime, query: str
) -> Iterator[bytes]:
    """Give each event as its canonical line, newest first, and an end."""
    lines = 0
    for part in _stretches(events):
        lines += len(part)
        yield "".join(f"{line}\n" for _, line in part).encode()
    yield end_line(lines, exported_at, query)


def _stretches(events: QuerySet[SecurityEvent]) -> Iterator[_Rows]:
    rest = events.order_by("-id")
    while part := [*readable_lines("event", rest[:ROWS_AT_ONCE])]:
        yield part
        rest = events.order_by("-id").filter(id__lt=part[-1][0]["id"])


def _cells(event: dict[str, Any]) -> list[Any]:
    if "at" in event:  # as it is in the other CSV, on one clock whatever the row's is
        at = datetime.fromisoformat(event["at"]).astimezone(UTC)
        event["at"] = f"{at:%Y-%m-%d %H:%M:%S.%f}"
    return [_cell(event.get(name, "")) for name in CSV_COLUMNS]


def _cell(value: Any) -> Any:
    if isinstance(value, dict):
        return json.dumps(value, sort_keys=True, ensure_ascii=False)
    return harmless(value)
