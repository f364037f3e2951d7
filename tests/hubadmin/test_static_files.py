"""Our files are named by what is in them, kept for a year, and sent compressed."""

import gzip
import re
from pathlib import Path
from unittest import mock

import brotli
from django.contrib.staticfiles import finders
from django.template import engines
from django.templatetags.static import static
from django.test import SimpleTestCase, TestCase

from hubadmin.web import static_files
from tests.support import SignedInClient, person

CSS = "associations/hubadmin.css"
OURS = Path(finders.find(CSS)).parent


def content_of(response: object) -> bytes:
    return b"".join(response.streaming_content)


class StaticFileTests(SimpleTestCase):
    def setUp(self) -> None:
        self.client = SignedInClient()
        self.css = (OURS / "hubadmin.css").read_bytes()

    def test_a_hashed_name_is_kept_for_a_year(self) -> None:
        self.assertRegex(static(CSS), r"^/static/associations/hubadmin\.[0-9a-f]{12}\.css$")
        answer = self.client.get(static(CSS))
        self.assertEqual(answer["Cache-Control"], "max-age=31536000, public, immutable")
        self.assertEqual(content_of(answer), self.css)

    def test_the_plain_name_and_another_versions_are_asked_for_again(self) -> None:
        for url in (f"/static/{CSS}", "/static/associations/hubadmin.0123456789ab.css"):
            with self.subTest(url=url):
                answer = self.client.get(url)
                self.assertEqual(content_of(answer), self.css)
                self.assertEqual(answer["Cache-Control"], "max-age=60, public")

    def test_what_is_sent_is_the_smallest_form_that_the_browser_takes(self) -> None:
        for accepted, encoding, read in (
            ("gzip, deflate, br, zstd", "br", brotli.decompress),
            ("gzip", "gzip", gzip.decompress),
            ("", None, bytes),
        ):
            with self.subTest(accepted=accepted):
                answer = self.client.get(static(CSS), headers={"accept-encoding": accepted})
                body = content_of(answer)
                self.assertEqual(answer.get("Content-Encoding"), encoding)
                self.assertEqual(answer["Vary"], "Accept-Encoding")
                self.assertEqual(int(answer["Content-Length"]), len(body))
                self.assertEqual(read(body), self.css)

    def test_head_a_known_file_and_other_methods(self) -> None:
        told = self.client.get(static(CSS))
        head = self.client.head(static(CSS))
        self.assertEqual(head["Content-Length"], told["Content-Length"])
        self.assertEqual(content_of(head), b"")
        known = self.client.get(static(CSS), headers={"if-none-match": told["ETag"]})
        self.assertEqual(known.status_code, 304)
        self.assertEqual(self.client.post(static(CSS)).status_code, 405)
        part = self.client.get(static(CSS), headers={"range": "bytes=0-9"})
        self.assertEqual((part.status_code, content_of(part)), (200, self.css))

    def test_nothing_else_is_served(self) -> None:
        for path in ("none.css", "../apps.py", "..%2fapps.py", "", "hubadmin.css.br"):
            with self.subTest(path=path):
                answer = self.client.get(f"/static/associations/{path}")
                self.assertNotEqual(answer.status_code, 200)

    def test_a_file_is_read_and_compressed_once_and_only_if_asked_for(self) -> None:
        reading = mock.patch.object(
            static_files, "_InMemory", side_effect=static_files._InMemory, autospec=True
        )
        with reading as read:
            server = static_files.StaticFilesMiddleware(mock.Mock())
            self.assertEqual(read.call_count, 0)
            file = server.files[static(CSS)]
            for _ in range(2):
                file.get_response("GET", {})
            self.assertEqual(read.call_count, 1)

    def test_our_files_name_no_others_whose_names_would_have_a_hash(self) -> None:
        for file in OURS.iterdir():
            self.assertIsNone(
                re.search(r"url\(|@import|\bimport\b.* from|import\(", file.read_text())
            )

    def test_a_page_that_names_a_missing_file_is_a_mistake(self) -> None:
        page = engines["django"].from_string('{% load static %}{% static "none.css" %}')
        with self.assertRaises(ValueError):
            page.render()


class PageTests(TestCase):
    def test_pages_name_nothing_without_its_hash(self) -> None:
        page = SignedInClient(person()).get("/").content.decode()
        named = re.findall(r'"(/static/[^"]+)"', page)
        self.assertGreaterEqual(len(named), 6)
        for url in named:
            self.assertRegex(url, r"\.[0-9a-f]{12}\.\w+$")
