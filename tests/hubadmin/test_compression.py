"""Which pages are compressed, and which are not, as their size would tell (BREACH)."""

import gzip

from django.http import HttpResponse
from django.test import TestCase

from tests.associations.linking.base import entry_of
from tests.support import LINK, SignedInClient, person

OURS = {"accept-encoding": "gzip, br", "sec-fetch-site": "same-origin"}


class CompressionTests(TestCase):
    def setUp(self) -> None:
        self.user = person()
        self.client = SignedInClient(self.user)

    def assert_compressed(self, answer: HttpResponse) -> None:
        self.assertEqual(answer.get("Content-Encoding"), "gzip")
        self.assertIn(b"<!doctype html>", gzip.decompress(answer.content))
        self.assertEqual(answer["Content-Length"], str(len(answer.content)))

    def assert_as_it_is(self, answer: HttpResponse) -> None:
        self.assertFalse(answer.has_header("Content-Encoding"))
        self.assertIn(b"<!doctype html>", answer.content)

    def test_a_page_that_the_person_or_our_own_page_asked_for(self) -> None:
        entry = entry_of(self.user)
        for path in ("/", "/requests/", entry.get_absolute_url()):
            for site in ("none", "same-origin"):
                with self.subTest(path=path, site=site):
                    headers = OURS | {"sec-fetch-site": site}
                    self.assert_compressed(self.client.get(path, headers=headers))

    def test_its_size_varies_at_random(self) -> None:
        sizes = {len(self.client.get("/requests/", headers=OURS).content) for _ in range(30)}
        self.assertGreater(max(sizes) - min(sizes), 20)

    def test_not_for_another_site_or_a_browser_that_does_not_tell(self) -> None:
        for site in ("cross-site", "same-site", ""):
            with self.subTest(site=site):
                headers = OURS | {"sec-fetch-site": site}
                self.assert_as_it_is(self.client.get("/requests/", headers=headers))
        self.assert_as_it_is(self.client.get("/", headers={"accept-encoding": "gzip"}))

    def test_not_where_the_address_or_a_form_may_be_repeated(self) -> None:
        self.assert_as_it_is(self.client.get("/requests/?before=1", headers=OURS))
        self.assert_as_it_is(self.client.get("/?filled", headers=OURS))
        self.assert_as_it_is(self.client.post("/", {"reason": "a guess"}, headers=OURS))
        self.assert_as_it_is(self.client.post("/requests/", {"words": "guess"}, headers=OURS))

    def test_not_where_a_draft_is_shown(self) -> None:
        with self.settings(SSO_RECHECK_SECONDS=0):
            self.assertEqual(self.client.post("/", LINK | {"reason": "a guess"}).status_code, 401)
        page = self.client.get("/", headers=OURS)
        self.assertContains(page, "a guess")
        self.assert_as_it_is(page)

    def test_not_a_file(self) -> None:
        admin = SignedInClient(person("auditor", "admin"))
        entry_of(self.user)
        for path in ("/audit/export.csv", "/audit/events.jsonl"):
            with self.subTest(path=path):
                answer = admin.get(path, headers=OURS)
                self.assertEqual(answer.status_code, 200)
                self.assertFalse(answer.has_header("Content-Encoding"))
                self.assertTrue(answer.streaming)
                b"".join(answer.streaming_content)
