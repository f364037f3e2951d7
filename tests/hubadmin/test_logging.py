import io
import json
import logging
import sys
from contextlib import contextmanager
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

from django.test import RequestFactory, SimpleTestCase, override_settings
from hypothesis import given

from hubadmin.logging import REQUEST_ID, JSONFormatter
from tests.generated import ANY_JSON, ANY_TEXT, examples

TOKEN = "opaque/se+cret=="
PAT = "pat-na1-00000000-aaaa-bbbb-cccc-000000000000"


@contextmanager
def request_id(value: str) -> Any:
    reset = REQUEST_ID.set(value)
    try:
        yield
    finally:
        REQUEST_ID.reset(reset)


@override_settings(HUBSPOT_ACCESS_TOKEN=TOKEN)
class LogTestCase(SimpleTestCase):
    def setUp(self) -> None:
        self.logger = logging.Logger("hubadmin.tests")
        self.stream = io.StringIO()
        handler = logging.StreamHandler(self.stream)
        handler.setFormatter(JSONFormatter())
        self.logger.addHandler(handler)

    def line(self, *args: Any, **kwargs: Any) -> str:
        """Log an event and return its line, without the line break."""
        self.stream.seek(0)
        self.stream.truncate()
        self.logger.error(*args, **kwargs)
        return self.stream.getvalue().removesuffix("\n")

    def event(self, *args: Any, **kwargs: Any) -> dict[str, Any]:
        return json.loads(self.line(*args, **kwargs))


class EventTests(LogTestCase):
    def test_what_every_event_has(self) -> None:
        fields = {
            "name": "hubadmin.tests",
            "levelname": "ERROR",
            "msg": "closed %s",
            "args": ("it",),
        }
        moment = datetime(2026, 11, 23, 10, 0, 0, 123000, tzinfo=UTC)
        record = logging.makeLogRecord(fields | {"created": moment.timestamp()})
        expected = {"time": "2026-11-23T10:00:00.123+00:00", "level": "error"}
        expected |= {"logger": "hubadmin.tests", "event": "closed it"}
        self.assertEqual(json.loads(JSONFormatter().format(record)), expected)

    def test_extras_are_fields(self) -> None:
        event = self.event("x", extra={"entry": 7, "when": Decimal("1.5"), "taken": ["ü", None]})
        self.assertEqual((event["entry"], event["when"]), (7, "1.5"))
        self.assertEqual(event["taken"], ["ü", None])

    def test_the_request_itself_is_none_of_them(self) -> None:
        event = self.event("x", extra={"request": RequestFactory().get("/"), "status_code": 500})
        self.assertNotIn("request", event)
        self.assertEqual(event["status_code"], 500)

    def test_the_id_of_the_request_it_belongs_to(self) -> None:
        with request_id("abc"):
            self.assertEqual(self.event("x")["request_id"], "abc")
        self.assertNotIn("request_id", self.event("x"))

    def test_an_exception_brings_its_traceback(self) -> None:
        try:
            raise ValueError("broken")
        except ValueError:
            traceback = self.event("x", exc_info=True)["traceback"]
        self.assertTrue(traceback.startswith("Traceback"))
        self.assertTrue(traceback.endswith("ValueError: broken"))


class OneLineTests(LogTestCase):
    def test_line_breaks_stay_within_the_line(self) -> None:
        odd = "a\rb\nc\r\nd\u2028e\u0085f\x0bg\x1eh\0"
        with request_id(odd):
            try:
                raise ValueError(odd)
            except ValueError:
                line = self.line("%s", odd, extra={"path": odd, odd: odd}, exc_info=True)
        self.assertEqual(len(line.splitlines()), 1)
        event = json.loads(line)
        for name in ("event", "request_id", "path", odd):
            self.assertEqual(event[name], odd)

    def test_nothing_is_raw_that_a_terminal_or_a_reader_obeys(self) -> None:
        text = "\x7f\x9b\u202e\u2028\u200b"
        self.assertTrue(self.line(text, extra={"field": [text]}).isprintable())
        self.assertEqual(self.event(text)["event"], text)

    @examples(100)
    @given(ANY_TEXT, ANY_JSON)
    def test_whatever_is_logged_is_one_line_of_json(self, text: str, value: Any) -> None:
        line = self.line("%s", text, extra={"field": value})
        self.assertEqual(len(line.splitlines()), 1)
        self.assertTrue(line.isascii() and line.isprintable())
        self.assertIn("field", json.loads(line))


class SecretTests(LogTestCase):
    SECRETS = (TOKEN, PAT, "abc.def-ghi")

    def assert_redacted(self, line: str) -> None:
        for secret in self.SECRETS:
            self.assertNotIn(secret, line)
        json.loads(line)

    def test_never_appear_in_any_field(self) -> None:
        for secret in (TOKEN, PAT, f"\n{PAT}", f"\t{PAT}\n", "Authorization: Bearer abc.def-ghi"):
            with self.subTest(secret), request_id(secret):
                extra = {"field": secret, "nested": {"headers": [{"x": secret}]}, secret: 1}
                line = self.line(f"said {secret} %s", secret, extra=extra)
                self.assert_redacted(line)
                self.assertIn("[redacted]", line)

    def test_nor_in_a_traceback(self) -> None:
        for secret in (TOKEN, f"first line\n{PAT}", "Bearer abc.def-ghi"):
            with self.subTest(secret):
                try:
                    try:
                        raise KeyError(secret)
                    except KeyError as error:
                        raise ValueError(f"{secret} was refused") from error
                except ValueError:
                    line = self.line("x", exc_info=sys.exc_info())
                self.assert_redacted(line)
                self.assertIn("was refused", line)

    def test_nor_in_the_text_of_an_object(self) -> None:
        self.assert_redacted(self.line("x", extra={"error": ConnectionError(f"{TOKEN} {PAT}")}))

    def test_a_token_that_json_spells_differently(self) -> None:
        for token in ('quo"te12', "back\\slash"):
            with self.subTest(token), override_settings(HUBSPOT_ACCESS_TOKEN=token):
                self.assertEqual(self.event(f"<{token}>")["event"], "<[redacted]>")

    def test_without_a_token_nothing_is_lost(self) -> None:
        with override_settings(HUBSPOT_ACCESS_TOKEN=""):
            self.assertEqual(self.event("plain")["event"], "plain")
