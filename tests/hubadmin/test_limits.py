"""How much one person may send in a minute, and anybody in one request."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from io import BytesIO
from types import SimpleNamespace
from unittest import mock

from django.conf import settings
from django.core.files.uploadedfile import SimpleUploadedFile
from django.http import HttpResponse
from django.test import TestCase, override_settings
from django.test.client import MULTIPART_CONTENT
from django.urls import get_resolver, reverse
from django.utils import timezone

from associations.models import AssociationRequest
from tests.associations.linking.base import PageTestCase
from tests.hubadmin.test_requests import address_of, routes
from tests.support import LINK, SandboxMixin, SignedInClient, person

START = timezone.now()
TYPED = {
    "from_object_type": "contact",
    "from_object_id": " 501 ",
    "to_object_type": "COMPANIES",
    "to_object_id": "902",
    "reason": "SUP-1234  “in a hurry”",
}


@contextmanager
def at(seconds: float) -> Iterator[None]:
    """The clock by which submits are counted, so long after the first."""
    now = START + timedelta(seconds=seconds)
    with mock.patch(
        "associations.audit.recorder.entries.timezone", SimpleNamespace(now=lambda: now)
    ):
        yield


@override_settings(SUBMITS_PER_PERSON_PER_MINUTE=2)
class SubmitTestCase(PageTestCase):
    def submit(
        self, seconds: float, client: SignedInClient | None = None, **fields: str
    ) -> HttpResponse:
        with at(seconds):
            return (client or self.client).post("/?submit", LINK | fields)

    def assert_sent(self, answer: HttpResponse) -> None:
        self.assertEqual(answer.status_code, 302)
        self.assertTrue(answer["Location"].startswith("/?linked="))

    def assert_too_quick(self, answer: HttpResponse, wait: int) -> None:
        self.assertEqual((answer.status_code, answer["Retry-After"]), (429, str(wait)))

    def assert_logged_and_sent(self, count: int) -> None:
        self.assertEqual((AssociationRequest.objects.count(), len(self.puts())), (count, count))


class SubmitTests(SubmitTestCase):
    def test_one_more_within_the_minute_is_neither_sent_nor_logged(self) -> None:
        self.assert_sent(self.submit(0))
        self.assert_sent(self.submit(10))
        self.assert_too_quick(self.submit(20), 40)
        self.assert_too_quick(self.submit(59.5), 1)
        self.assert_logged_and_sent(2)

    def test_the_page_says_so_and_keeps_all_that_was_typed(self) -> None:
        self.submit(0)
        self.submit(0)
        page = self.submit(1, **TYPED, submit_token="my-own-token")
        self.assert_too_quick(page, 59)
        self.assertContains(page, "so this was not sent", status_code=429)
        self.assertContains(page, "2 pairs a minute", status_code=429)
        self.assertContains(page, "again in 59 seconds", status_code=429)
        form = page.context["form"]
        typed = {name: form[name].value() for name in TYPED}
        self.assertEqual((typed, form["submit_token"].value()), (TYPED, "my-own-token"))
        for value in (" 501 ", "SUP-1234  “in a hurry”", "my-own-token"):
            self.assertContains(page, f'value="{value}"', status_code=429)

    def test_a_minute_after_the_first_there_may_be_another(self) -> None:
        self.submit(0)
        self.submit(10)
        self.assert_too_quick(self.submit(59.9), 1)
        self.assert_sent(self.submit(60))
        self.assert_too_quick(self.submit(61), 9)
        self.assert_sent(self.submit(70))
        self.assert_logged_and_sent(4)

    def test_a_clock_that_was_set_back_holds_nobody_up(self) -> None:
        for _ in range(2):
            self.submit(3600)
        self.assert_sent(self.submit(0))

    def test_what_was_refused_does_not_count(self) -> None:
        self.submit(0)
        self.submit(0)
        for seconds in range(1, 60, 10):
            self.assert_too_quick(self.submit(seconds), 60 - seconds)
        self.submit(1, from_object_id="not an id")
        self.assert_sent(self.submit(60))

    def test_one_person_in_two_browsers_is_one_person(self) -> None:
        self.submit(0)
        self.submit(0, SignedInClient(self.user))
        self.assert_too_quick(self.submit(1, SignedInClient(self.user)), 59)

    def test_others_are_not_held_up(self) -> None:
        for _ in range(3):
            self.submit(0)
        self.assert_sent(self.submit(1, self.as_admin))
        self.assert_sent(self.submit(1, self.as_admin))
        self.assert_too_quick(self.submit(1, self.as_admin), 60)

    def test_nothing_but_submits_is_limited(self) -> None:
        for _ in range(3):
            self.submit(0)
        for address in ("/", "/requests/"):
            self.assertEqual(self.client.get(address).status_code, 200)

    def test_0_is_no_limit(self) -> None:
        with self.settings(SUBMITS_PER_PERSON_PER_MINUTE=0):
            for _ in range(4):
                self.assert_sent(self.submit(0))
        self.assert_logged_and_sent(4)


class DoubleClickTests(SubmitTestCase):
    """The same submit once more is the one that there is already."""

    def assert_same(self, answer: HttpResponse, linked: str) -> None:
        """It leads to the entry that there is, which says that nothing was sent now."""
        entry = linked.removeprefix("/?linked=")
        self.assertEqual(answer["Location"], f"/requests/{entry}/?repeated")

    def test_it_is_not_counted(self) -> None:
        first = self.submit(0, submit_token="a")
        self.assert_same(self.submit(1, submit_token="a"), first["Location"])
        self.assert_sent(self.submit(2, submit_token="b"))
        self.assert_logged_and_sent(2)

    def test_it_gets_its_entry_even_over_the_limit(self) -> None:
        entries = [self.submit(0, submit_token=token)["Location"] for token in "ab"]
        self.assert_too_quick(self.submit(1, submit_token="c"), 59)
        for token, entry in zip("ab", entries, strict=True):
            self.assert_same(self.submit(2, submit_token=token), entry)
        self.assert_logged_and_sent(2)

    def test_with_other_fields_or_by_somebody_else_it_is_another(self) -> None:
        for token in "ab":
            self.submit(0, submit_token=token)
        self.assert_too_quick(self.submit(1, submit_token="a", to_object_id="903"), 59)
        self.assert_sent(self.submit(1, self.as_admin, submit_token="a"))
        self.assert_logged_and_sent(3)

    def test_its_token_is_good_for_the_time_after(self) -> None:
        for token in "ab":
            self.submit(0, submit_token=token)
        self.assert_too_quick(self.submit(1, submit_token="c"), 59)
        entry = self.submit(60, submit_token="c")
        self.assert_same(self.submit(60, submit_token="c"), entry["Location"])
        self.assert_logged_and_sent(3)


class _Unread(BytesIO):
    """A body that must not be touched: on a real connection it may never come to an end."""

    def read(self, *args: int) -> bytes:
        raise AssertionError("the body was read")

    readline = readlines = read


class SizeTests(SandboxMixin, TestCase):
    def setUp(self) -> None:
        super().setUp()
        self.client = SignedInClient(person())

    def announce(self, path: str, length: object, content_type: str) -> HttpResponse:
        """Send the head of a request, and nothing that could be read after it."""
        return self.client.request(
            REQUEST_METHOD="POST",
            PATH_INFO=path,
            CONTENT_TYPE=content_type,
            CONTENT_LENGTH=str(length),
            **{"wsgi.input": _Unread()},
        )

    def test_one_byte_too_many_is_refused_unread_on_every_route(self) -> None:
        too_many = settings.MAX_REQUEST_BYTES + 1
        paths = [address_of(route) for route in routes(get_resolver().url_patterns)]
        for path in [*paths, "/nowhere"]:
            for kind in ("application/x-www-form-urlencoded", MULTIPART_CONTENT, "text/plain"):
                for length in (too_many, 10**18):
                    if path == reverse("bulk_runs") and length == too_many:
                        continue  # it takes files
                    with self.subTest(path, kind=kind, length=length):
                        answer = self.announce(path, length, kind)
                        self.assertContains(answer, "Too much was sent", status_code=413)

    def test_an_upload_may_have_a_file_besides(self) -> None:
        most = settings.BULK_MAX_BYTES + settings.MAX_REQUEST_BYTES
        with self.assertRaisesMessage(AssertionError, "the body was read"):
            self.announce("/bulk/", most, MULTIPART_CONTENT)
        answer = self.announce("/bulk/", most + 1, MULTIPART_CONTENT)
        self.assertContains(answer, "Nothing was uploaded", status_code=413)

    def test_it_would_be_seen_if_the_body_were_read(self) -> None:
        with self.assertRaisesMessage(AssertionError, "the body was read"):
            self.announce("/", settings.MAX_REQUEST_BYTES, "application/x-www-form-urlencoded")

    def test_signed_out_too(self) -> None:
        self.client = SignedInClient()
        answer = self.announce("/", settings.MAX_REQUEST_BYTES + 1, MULTIPART_CONTENT)
        self.assertEqual(answer.status_code, 413)

    def test_whatever_is_below_gets_its_page(self) -> None:
        body = "reason=".ljust(settings.MAX_REQUEST_BYTES, "x")
        for size, status in ((0, 422), (-1, 413)):
            content = body if size == 0 else body + "x"
            with self.subTest(status=status):
                answer = self.client.post("/", content, "application/x-www-form-urlencoded")
                self.assertEqual(answer.status_code, status)

    def test_files_are_part_of_it(self) -> None:
        for size, status in ((100_000, 422), (settings.MAX_REQUEST_BYTES, 413)):
            with self.subTest(size=size):
                file = SimpleUploadedFile("f.csv", b"x" * size)
                answer = self.client.post("/", {"reason": "SUP-1", "file": file})
                self.assertEqual(answer.status_code, status)

    def test_a_length_of_nothing_is_an_empty_form(self) -> None:
        for length in ("", "0", "-1"):
            with self.subTest(length):
                answer = self.announce("/", length, "application/x-www-form-urlencoded")
                self.assertEqual(answer.status_code, 422)
