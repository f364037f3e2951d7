"""Headers as long as people in many groups, or with many cookies, bring them to the real server."""

import http.client
import unittest

from django.test import tag

from hubadmin.demo.sandbox import Sandbox
from tests.hubadmin.test_browser_headers import inline_in
from tests.identity.server import Server

SECRET = "a-shared-secret-of-more-than-32-characters"
KIB = 1024


@tag("own_database")
class LongHeaderTests(unittest.TestCase):
    @classmethod
    def setUpClass(cls) -> None:
        super().setUpClass()
        hubspot = cls.enterClassContext(Sandbox())
        settings = {"SSO_MODE": "header", "SSO_ISSUER": "proxy", "SSO_HEADER_SECRET": SECRET}
        cls.server = cls.enterClassContext(Server(hubspot.url, **settings))

    def get(self, *, groups: int = 0, cookies: int = 0) -> tuple[int, str]:
        """Ask for a page with so many bytes in these headers."""
        names = ";".join(["support", *(f"group-{number:05}" for number in range(groups // 12))])
        headers = {"X-Forwarded-Proto": "https", "X-SSO-Secret": SECRET, "X-SSO-Subject": "ada"}
        headers |= {"X-SSO-Groups": names, "Cookie": f"of_another_site={'x' * cookies}"}
        connection = http.client.HTTPConnection("127.0.0.1", self.server.port, timeout=10)
        self.addCleanup(connection.close)
        connection.request("GET", "/requests/", headers=headers)
        answer = connection.getresponse()
        return answer.status, answer.read().decode()

    def test_many_groups_and_large_cookies_get_in(self) -> None:
        for long in ({"groups": 60 * KIB}, {"cookies": 60 * KIB}):
            with self.subTest(long=long):
                status, page = self.get(**long)
                self.assertEqual(status, 200, page[:300])

    def test_beyond_there_is_a_page_that_says_what_to_do(self) -> None:
        for long in ({"groups": 70 * KIB}, {"cookies": 70 * KIB}):
            with self.subTest(long=long):
                status, page = self.get(**long)
                self.assertEqual(status, 431)
                self.assertIn("Delete the cookies of this site", page)
                self.assertIn("the admin of this site", page)
                self.assertIn('lang="ja"', page)
                self.assertEqual(inline_in(page), [])
