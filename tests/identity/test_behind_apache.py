"""Header mode behind a real Apache with mod_auth_openidc, set up by README's own example."""

import re
import socket
import ssl
import unittest

import requests
from django.test import tag

from hubadmin.demo.sandbox import Sandbox
from tests.identity import apache, real_provider
from tests.identity.apache import Apache, naive_proxy, openid_proxy
from tests.identity.real_provider import RealProvider, submit
from tests.identity.server import Server
from tests.support import LINK, needed

SECRET = "a-shared-secret-of-more-than-32-characters"
SMUGGLED = (
    b"GET /audit/ HTTP/1.1\r\nHost: localhost\r\nX-SSO-Subject: noah\r\nX-SSO-Groups: admin\r\n"
    b"X-SSO-Secret: x\r\nX-Forwarded-Proto: https\r\n\r\n"
)
# What somebody of the support group sends along to be taken for an admin.
SPOOFS: dict[str, list[bytes]] = {
    "another group": [b"X-SSO-Groups: admin"],
    "another group, twice": [b"X-SSO-Groups: admin", b"X-SSO-Groups: admin"],
    "another group, in small letters": [b"x-sso-groups: admin"],
    "another group, with underscores": [b"X_SSO_Groups: admin"],
    "another group, a space before the colon": [b"X-SSO-Groups : admin"],
    "another group, folded": [b"X-Folded: x", b"\tX-SSO-Groups: admin", b" X-SSO-Groups: admin"],
    "another person": [b"X-SSO-Subject: noah", b"X-SSO-Email: noah@example.com"],
    "all of it, with a secret": [
        b"X-SSO-Secret: x",
        b"X-SSO-Subject: noah",
        b"X-SSO-Groups: admin",
    ],
    "Apache's own names": [b"OIDC_CLAIM_groups: admin", b"OIDC-CLAIM-groups: admin"],
    "the proxy's headers named as its connection's": [
        b"Connection: X-SSO-Groups, X-SSO-Subject, X-SSO-Secret",
        b"X-SSO-Groups: admin",
    ],
    "another path, told by headers": [
        b"SCRIPT_NAME: /audit",
        b"PATH_INFO: /audit/",
        b"REMOTE_USER: noah",
        b"REMOTE-USER: noah",
    ],
    "a request within the request": [
        b"Content-Length: %d" % len(SMUGGLED),
        b"Transfer-Encoding: xchunked",
        b"",
        SMUGGLED,
    ],
}
# To the socket itself, past the proxy.
PAST_THE_PROXY: dict[str, list[bytes]] = {
    "without the secret": [],
    "with another secret": [b"X-SSO-Secret: another-secret-of-more-than-32-characters"],
    "with the secret under a name with underscores": [b"X_SSO_Secret: " + SECRET.encode()],
}
AS_ADMIN = [b"X-SSO-Subject: noah", b"X-SSO-Groups: admin", b"X-Forwarded-Proto: https"]


def statuses(connection: socket.socket, lines: list[bytes], path: bytes = b"/audit/") -> list[int]:
    """Send a request as it stands; return the status of each answer."""
    connection.settimeout(20)
    head = [b"GET %s HTTP/1.1" % path, b"Host: localhost"]
    connection.sendall(b"\r\n".join([*head, *lines, b"Connection: close", b"", b""]))
    received = b""
    while chunk := connection.recv(65536):
        received += chunk
    return [int(status) for status in re.findall(rb"^HTTP/1\.1 (\d+) ", received, re.M)]


@tag("own_database")
@needed(real_provider.AVAILABLE, "the identity provider (npm ci --prefix tests/identity/provider)")
@needed(apache.AVAILABLE, "Apache with mod_auth_openidc")
class HeaderModeTests(unittest.TestCase):
    @classmethod
    def setUpClass(cls) -> None:
        super().setUpClass()
        cls.hubspot = cls.enterClassContext(Sandbox())
        cls.provider = cls.enterClassContext(RealProvider())
        cls.server = cls.enterClassContext(
            Server(
                cls.hubspot.url,
                unix=True,
                SSO_MODE="header",
                SSO_ISSUER=cls.provider.issuer,
                SSO_HEADER_SECRET=SECRET,
                SSO_SIGN_OUT_URL="/oidc-callback?logout=https%3A%2F%2Fhubadmin.example.com%2F",
            )
        )
        site = openid_proxy(cls.server.upstream, cls.provider, SECRET)
        cls.apache = cls.enterClassContext(Apache(site))
        cls.provider.register([f"{cls.apache.origin}/oidc-callback"], [f"{cls.apache.origin}/"])
        cls.provider.set_account("mina", ["support"], name="Mina Sato")
        cls.provider.set_account("noah", ["others", "admin"], name="Noah Berg")

    def signed_in(self, sub: str) -> requests.Session:
        session = self.enterContext(requests.Session())
        session.trust_env, session.verify = False, str(self.apache.certificate)
        landed = submit(session, session.get(f"{self.apache.origin}/requests/"), login=sub)
        self.assertEqual((landed.status_code, landed.url), (200, f"{self.apache.origin}/requests/"))
        return session

    def through(self, proxy: Apache, lines: list[bytes], **cookies: str) -> list[int]:
        sent = "; ".join(f"{name}={value}" for name, value in cookies.items()).encode()
        context = ssl.create_default_context(cafile=str(proxy.certificate))
        plain = socket.create_connection(("127.0.0.1", proxy.port))
        with context.wrap_socket(plain, server_hostname="localhost") as connection:
            return statuses(connection, [b"Cookie: " + sent, *lines])

    def test_people_are_who_the_provider_says(self) -> None:
        mina, noah = self.signed_in("mina"), self.signed_in("noah")
        self.assertIn("Mina Sato", mina.get(f"{self.apache.origin}/").text)
        self.assertEqual(mina.get(f"{self.apache.origin}/audit/").status_code, 403)
        self.assertIn("Audit log", noah.get(f"{self.apache.origin}/audit/").text)

    def test_a_submit_with_address_scheme_host_and_csrf_as_they_are(self) -> None:
        session, address = self.signed_in("mina"), f"{self.apache.origin}/"
        page = session.get(address).text
        form = LINK | dict(re.findall(r'type="hidden" name="(\w+)" value="([^"]*)"', page))
        spoofed = {
            "X-Forwarded-For": "198.51.100.66",
            "X-Forwarded-Host": "evil.test",
            "Forwarded": "for=198.51.100.66;host=evil.test;proto=http",
            "X-Forwarded-Proto": "http",
        }
        answer = session.post(address, form, headers=spoofed | {"Referer": address})
        self.assertIn("is now linked", answer.text)
        self.assertRegex(answer.url, rf"^{self.apache.origin}/\?linked=\d+$")
        elsewhere = session.post(address, form, headers={"Referer": "https://evil.test/"})
        self.assertEqual(elsewhere.status_code, 403)
        entry = answer.url.partition("linked=")[2]
        admins = self.signed_in("noah").get(f"{address}requests/{entry}/").text
        self.assertIn("<dd>127.0.0.1</dd>", admins)

    def test_no_spoof_through_the_proxy_makes_an_admin(self) -> None:
        noah = self.signed_in("noah").cookies.get_dict()
        self.assertEqual(self.through(self.apache, [], **noah), [200])
        mina = self.signed_in("mina").cookies.get_dict()
        self.assertEqual(self.through(self.apache, [], **mina), [403])
        for name, lines in SPOOFS.items():
            with self.subTest(name):
                answers = self.through(self.apache, lines, **mina)
                self.assertTrue(answers)
                for status in answers:
                    self.assertGreaterEqual(status, 302)

    def test_without_a_sign_in_everything_leads_to_the_provider(self) -> None:
        for name, lines in SPOOFS.items():
            with self.subTest(name):
                for status in self.through(self.apache, lines):
                    self.assertIn(status, (302, 400, 401))

    def test_nobody_gets_in_past_the_proxy(self) -> None:
        right = [*AS_ADMIN, b"X-SSO-Secret: " + SECRET.encode()]
        self.assertEqual(self.at_the_socket(right), [200])
        for name, lines in PAST_THE_PROXY.items():
            with self.subTest(name):
                self.assertEqual(self.at_the_socket([*AS_ADMIN, *lines]), [403])

    def at_the_socket(self, lines: list[bytes]) -> list[int]:
        with socket.socket(socket.AF_UNIX) as connection:
            connection.connect(str(self.server.socket))
            return statuses(connection, lines)

    def test_a_proxy_that_passes_headers_on_falls(self) -> None:
        """The control: the spoofs are good ones, and it is the proxy's settings that stop them."""
        with Apache(naive_proxy(self.server.upstream, SECRET)) as naive:
            self.assertEqual(self.through(naive, []), [302])
            self.assertEqual(self.through(naive, AS_ADMIN), [200])
            twice = [*AS_ADMIN, b"X-SSO-Groups: support"]
            self.assertEqual(self.through(naive, twice), [403], "a comma gives it away")

    def test_signing_out_reaches_the_proxy(self) -> None:
        session, origin = self.signed_in("mina"), self.apache.origin
        page = session.get(f"{origin}/")
        form = dict(re.findall(r'type="hidden" name="(csrf\w+)" value="([^"]*)"', page.text))
        answer = session.post(f"{origin}/sign-out", form, headers={"Referer": f"{origin}/"})
        away = answer.headers["Refresh"].removeprefix("0; url=")
        away = away.replace("hubadmin.example.com", f"localhost%3A{self.apache.port}")
        self.provider.clear_log()
        submit(session, session.get(f"{origin}{away}"), logout="yes")
        self.assertEqual(len(self.provider.log("end_session.success")), 1)
        self.assertTrue(session.get(f"{origin}/").url.startswith(self.provider.issuer))
