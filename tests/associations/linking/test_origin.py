from django.test import RequestFactory, SimpleTestCase, override_settings

from associations.audit.recorder import RequestMeta, request_meta
from associations.models import AssociationRequest
from hubadmin.web.client_ip import client_ip

PEER = "10.0.0.9"


class ClientIPTests(SimpleTestCase):
    def assert_ip(self, expected: str | None, proxies: int, forwarded: str | None = None) -> None:
        headers = {} if forwarded is None else {"X-Forwarded-For": forwarded}
        request = RequestFactory().get("/", headers=headers, REMOTE_ADDR=PEER)
        with override_settings(TRUSTED_PROXY_COUNT=proxies):
            self.assertEqual(client_ip(request), expected)

    def test_without_a_proxy_it_is_the_peer_whatever_the_header_claims(self) -> None:
        self.assert_ip(PEER, 0)
        self.assert_ip(PEER, 0, "203.0.113.5")
        self.assert_ip(PEER, 0, "garbage")

    def test_behind_one_proxy_it_is_what_that_one_saw(self) -> None:
        self.assert_ip("203.0.113.5", 1, "203.0.113.5")
        self.assert_ip("203.0.113.5", 1, "1.1.1.1, 203.0.113.5")
        self.assert_ip("203.0.113.5", 1, " 1.1.1.1 ,2.2.2.2,  203.0.113.5 ")

    def test_behind_two_it_is_what_the_outer_one_saw(self) -> None:
        self.assert_ip("203.0.113.5", 2, "203.0.113.5, 10.0.0.1")
        self.assert_ip("203.0.113.5", 2, "1.1.1.1, 203.0.113.5, 10.0.0.1")

    def test_a_chain_too_short_tells_nothing(self) -> None:
        self.assert_ip(None, 1)
        self.assert_ip(None, 1, "")
        self.assert_ip(None, 2, "203.0.113.5")

    def test_ipv6(self) -> None:
        self.assert_ip("2001:db8::1", 1, "2001:DB8:0:0::1")
        self.assert_ip("::1", 2, "::1, 10.0.0.1")

    def test_a_port_or_a_zone_or_a_mapped_address(self) -> None:
        self.assert_ip("203.0.113.5", 1, "203.0.113.5:5678")
        self.assert_ip("2001:db8::1", 1, "[2001:db8::1]:5678")
        self.assert_ip("2001:db8::1", 1, "[2001:db8::1]")
        self.assert_ip("203.0.113.5", 1, "::ffff:203.0.113.5")
        self.assert_ip("fe80::1", 1, "fe80::1%eth0")

    def test_garbage_is_no_address(self) -> None:
        for text in (
            "unknown",
            "999.1.1.1",
            "1.1.1.1.",
            "<script>",
            "1.1.1.1,",
            "_hidden",
            "1",
            "\u0661",
        ):
            with self.subTest(text):
                self.assert_ip(None, 1, text)

    def test_a_unix_socket_has_no_peer(self) -> None:
        request = RequestFactory().get("/", REMOTE_ADDR="")
        with override_settings(TRUSTED_PROXY_COUNT=0):
            self.assertIsNone(client_ip(request))
        del request.META["REMOTE_ADDR"]
        with override_settings(TRUSTED_PROXY_COUNT=0):
            self.assertIsNone(client_ip(request))


class OriginTests(SimpleTestCase):
    def origin(self, **headers: str) -> RequestMeta:
        request = RequestFactory().get("/", headers=headers, REMOTE_ADDR=PEER)
        request.id, request.client_id = "abc", "theirs"
        return request_meta(request)

    def test_where_a_request_came_from(self) -> None:
        ids = {"request_id": "abc", "client_request_id": "theirs"}
        expected = RequestMeta(client_ip=PEER, user_agent="Firefox", **ids)
        self.assertEqual(self.origin(user_agent="Firefox"), expected)

    def test_a_browser_that_says_nothing(self) -> None:
        self.assertEqual(self.origin().user_agent, "")

    def test_what_the_browser_says_fits_its_column(self) -> None:
        length = AssociationRequest._meta.get_field("user_agent").max_length
        self.assertEqual(self.origin(user_agent="\0" + "x" * 999).user_agent, "x" * length)
