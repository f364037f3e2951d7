"""The parts of the sign-in tests by themselves: provider, server and proxies are what they say."""

import http.client
import json
import ssl
import unittest
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any
from urllib.parse import parse_qs, urlsplit

import jwt
import requests
from django.test import tag

from hubadmin.demo.sandbox import Sandbox
from tests.identity import apache, real_provider
from tests.identity.apache import Apache, naive_proxy, openid_proxy, tls_proxy
from tests.identity.real_provider import RealProvider, submit
from tests.identity.server import Server
from tests.support import needed

SECRET = "a-shared-secret-of-more-than-32-characters"
# RFC 7636's own example.
VERIFIER = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk"
CHALLENGE = "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM"
ADA = {"sub": "ada"}
OIDC = {
    "SSO_MODE": "oidc",
    "SSO_ISSUER": "https://id.example.com",
    "SSO_CLIENT_ID": "hubadmin",
    "SSO_CLIENT_SECRET": "secret",
}


class Echo(BaseHTTPRequestHandler):
    """Answers with the headers that reached it, as they came."""

    def do_GET(self) -> None:
        body = json.dumps(self.headers.items()).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        pass


@tag("own_database")
class PartTestCase(unittest.TestCase):
    """With a trivial server behind everything."""

    @classmethod
    def setUpClass(cls) -> None:
        echo = ThreadingHTTPServer(("127.0.0.1", 0), Echo)
        Thread(target=echo.serve_forever, args=(0.02,), daemon=True).start()
        cls.addClassCleanup(echo.server_close)
        cls.addClassCleanup(echo.shutdown)
        cls.upstream = f"http://127.0.0.1:{echo.server_address[1]}/"

    def browser(self, proxy: Apache | None = None) -> requests.Session:
        session = self.enterContext(requests.Session())
        session.trust_env = False
        if proxy:
            session.verify = str(proxy.certificate)
        return session


@needed(real_provider.AVAILABLE, "the identity provider")
class ProviderTests(PartTestCase):
    @classmethod
    def setUpClass(cls) -> None:
        super().setUpClass()
        cls.provider = cls.enterClassContext(RealProvider())
        cls.provider.register([cls.upstream], [f"{cls.upstream}signed-out"])

    def setUp(self) -> None:
        self.provider.clear_log()
        self.provider.set_account("ada", ["a", "b"], name="Ada Lovelace")
        self.session = self.browser()
        self.metadata = self.get(f"{self.provider.issuer}/.well-known/openid-configuration").json()

    def get(self, address: str, **query: str) -> requests.Response:
        return self.session.get(address, params=query, timeout=5)

    def authorize(self, **changes: str) -> requests.Response:
        """Ask the provider to sign somebody in; it shows a page, or sends us back with a query."""
        query = {
            "client_id": self.provider.client_id,
            "response_type": "code",
            "redirect_uri": self.upstream,
            "scope": "openid profile email groups",
            "code_challenge": CHALLENGE,
            "code_challenge_method": "S256",
        }
        return self.get(self.metadata["authorization_endpoint"], **query | changes)

    def sign_in(self, login: str = "ada") -> str:
        """Return the ID token of somebody who has just signed in."""
        return self.id_token(submit(self.session, self.authorize(), login=login))

    def answer(self, page: requests.Response) -> dict[str, str]:
        self.assertTrue(page.url.startswith(self.upstream), page.text)
        return {name: value for name, (value,) in parse_qs(urlsplit(page.url).query).items()}

    def id_token(self, page: requests.Response) -> str:
        form = {
            "grant_type": "authorization_code",
            "code": self.answer(page)["code"],
            "redirect_uri": self.upstream,
            "code_verifier": VERIFIER,
        }
        client = (self.provider.client_id, self.provider.client_secret)
        address = self.metadata["token_endpoint"]
        return self.session.post(address, form, auth=client, timeout=5).json()["id_token"]

    def claims(self, token: str) -> dict[str, Any]:
        """The claims, if one of the keys that are published now has signed them."""
        key = jwt.PyJWKClient(self.metadata["jwks_uri"]).get_signing_key_from_jwt(token)
        return jwt.decode(token, key, ["RS256"], audience=self.provider.client_id)

    def sign_out(self, **hint: str) -> requests.Response:
        back = {"post_logout_redirect_uri": f"{self.upstream}signed-out"}
        client = {"client_id": self.provider.client_id}
        return self.get(self.metadata["end_session_endpoint"], **back | client | hint)

    def test_discovery_names_the_issuer(self) -> None:
        self.assertEqual(self.metadata["issuer"], self.provider.issuer)

    def test_the_id_token_holds_the_groups(self) -> None:
        claims = self.claims(self.sign_in())
        self.assertEqual((claims["sub"], claims["name"]), ("ada", "Ada Lovelace"))
        self.assertEqual((claims["email"], claims["groups"]), ("ada@example.com", ["a", "b"]))

    def test_lean_id_tokens_leave_the_groups_to_userinfo(self) -> None:
        self.provider = self.enterContext(RealProvider(lean_id_tokens=True))
        self.provider.register([self.upstream])
        self.setUp()
        self.assertNotIn("groups", self.claims(self.sign_in()))

    def test_pkce_is_demanded_and_the_request_logged(self) -> None:
        answer = self.answer(self.authorize(code_challenge="", code_challenge_method=""))
        self.assertEqual(answer["error"], "invalid_request")
        self.sign_in()
        refused, asked = self.provider.log("authorization")
        self.assertNotEqual(refused["query"].get("code_challenge_method"), "S256")
        self.assertEqual(asked["query"]["code_challenge_method"], "S256")
        self.assertEqual(self.provider.log("grant.success"), [{"event": "grant.success"} | ADA])

    def test_asked_silently_it_answers_whether_somebody_is_signed_in(self) -> None:
        self.assertEqual(self.answer(self.authorize(prompt="none"))["error"], "login_required")
        self.sign_in()
        self.provider.set_account("ada", [])
        token = self.id_token(self.authorize(prompt="none"))
        self.assertEqual(self.claims(token)["groups"], [])
        self.provider.sign_out_everywhere()
        self.assertEqual(self.answer(self.authorize(prompt="none"))["error"], "login_required")

    def test_who_is_deleted_is_signed_in_no_longer(self) -> None:
        self.sign_in()
        self.provider.delete_account("ada")
        self.assertEqual(self.answer(self.authorize(prompt="none"))["error"], "login_required")
        page = submit(self.session, self.authorize(), login="ada")
        self.assertIn('name="login"', page.text)

    def test_somebody_may_refuse(self) -> None:
        page = submit(self.session, self.authorize(), refuse="yes")
        self.assertEqual(self.answer(page)["error"], "access_denied")

    def test_signing_out_takes_no_click_with_an_id_token_and_one_without(self) -> None:
        for hint in ({"id_token_hint": self.sign_in()}, {}):
            with self.subTest(hint=bool(hint)):
                self.sign_in()
                page = self.sign_out(**hint)
                self.assertEqual(".click()" in page.text, bool(hint))
                page = submit(self.session, page, logout="yes")
                self.assertEqual(page.url, f"{self.upstream}signed-out")
                self.assertEqual(self.provider.log()[-1], {"event": "end_session.success"} | ADA)
                silent = self.answer(self.authorize(prompt="none"))
                self.assertEqual(silent["error"], "login_required")

    def test_keys_rotate(self) -> None:
        old = self.sign_in()
        self.provider.rotate_keys()
        new = self.id_token(self.authorize(prompt="none"))
        self.assertNotEqual(jwt.get_unverified_header(old), jwt.get_unverified_header(new))
        self.assertEqual(self.claims(old)["sub"], self.claims(new)["sub"])
        self.provider.rotate_keys(keep_name=True)
        newest = self.id_token(self.authorize(prompt="none"))
        self.assertEqual(jwt.get_unverified_header(new), jwt.get_unverified_header(newest))
        self.claims(newest)
        with self.assertRaises(jwt.InvalidSignatureError):
            self.claims(new)


@needed(apache.AVAILABLE, "Apache with mod_auth_openidc")
class ProxyTestCase(PartTestCase):
    def received(self, proxy: Apache, *headers: tuple[str, str]) -> list[tuple[str, str]]:
        """What came through, by a client that may be rude: any header, any number of times."""
        context = ssl.create_default_context(cafile=str(proxy.certificate))
        connection = http.client.HTTPSConnection("localhost", proxy.port, context=context)
        self.addCleanup(connection.close)
        connection.putrequest("GET", "/")
        for header in headers:
            connection.putheader(*header)
        connection.endheaders()
        answer = connection.getresponse()
        self.assertEqual(answer.status, 200, proxy.output())
        return [(name.lower(), value) for name, value in json.load(answer)]

    def assert_received(self, received: list, name: str, *values: str) -> None:
        self.assertEqual([value for key, value in received if key == name], [*values], name)


class PlainProxyTests(ProxyTestCase):
    def test_it_says_where_a_request_came_from(self) -> None:
        proxy = self.enterContext(Apache(tls_proxy(self.upstream)))
        spoofed = [("X-Forwarded-Proto", "http"), ("X-Forwarded-For", "203.0.113.9")]
        received = self.received(proxy, *spoofed)
        self.assert_received(received, "host", f"localhost:{proxy.port}")
        self.assert_received(received, "x-forwarded-proto", "https")
        self.assert_received(received, "x-forwarded-for", "203.0.113.9, 127.0.0.1")

    def test_the_naive_one_vouches_for_anything(self) -> None:
        proxy = self.enterContext(Apache(naive_proxy(self.upstream, SECRET)))
        received = self.received(proxy, ("X-SSO-Subject", "mallory"), ("X-SSO-Secret", "guess"))
        self.assert_received(received, "x-sso-subject", "mallory")
        self.assert_received(received, "x-sso-secret", SECRET)


@needed(real_provider.AVAILABLE, "the identity provider")
class OpenIDProxyTests(ProxyTestCase):
    NAMES = ("subject", "email", "name", "groups", "secret")

    @classmethod
    def setUpClass(cls) -> None:
        super().setUpClass()
        cls.provider = cls.enterClassContext(RealProvider())
        cls.proxy = cls.enterClassContext(Apache(openid_proxy(cls.upstream, cls.provider, SECRET)))
        back = [f"{cls.proxy.origin}/"]
        cls.provider.register([f"{cls.proxy.origin}/oidc-callback"], back)
        cls.provider.set_account("ada", ["a", "b"], name="Ada Lovelace")

    def signed_in(self) -> tuple[str, str]:
        """The cookies of somebody who has signed in."""
        session = self.browser(self.proxy)
        page = submit(session, session.get(self.proxy.origin, timeout=10), login="ada")
        self.assertEqual((page.status_code, page.url), (200, f"{self.proxy.origin}/"))
        cookies = [f"{c.name}={c.value}" for c in session.cookies if "localhost" in c.domain]
        return ("Cookie", "; ".join(cookies))

    def test_what_a_browser_sends_is_replaced(self) -> None:
        """Underscores make another header: Apache lets it pass, and gunicorn drops it."""
        names = [f"X-SSO-{name}" for name in self.NAMES]
        underscored = [name.replace("-", "_") for name in names]
        names += [*map(str.upper, names), *map(str.lower, names), *names, *underscored]
        spoofed = [(name, "mallory") for name in names]
        received = self.received(self.proxy, self.signed_in(), *spoofed)
        self.assert_received(received, "x-sso-subject", "ada")
        self.assert_received(received, "x-sso-email", "ada@example.com")
        self.assert_received(received, "x-sso-name", "Ada Lovelace")
        self.assert_received(received, "x-sso-groups", "a;b")
        self.assert_received(received, "x-sso-secret", SECRET)
        self.assert_received(received, "x_sso_subject", "mallory")

    def test_a_browser_can_take_headers_away_but_put_nothing_in_their_place(self) -> None:
        names = [f"X-SSO-{name}" for name in self.NAMES]
        rude = [("Connection", ", ".join(names)), *((name, "mallory") for name in names)]
        received = self.received(self.proxy, self.signed_in(), *rude)
        for name in names:
            self.assert_received(received, name.lower())

    def test_nobody_passes_signed_out_but_to_read_whom_to_tell_of_a_weakness(self) -> None:
        session, told = self.browser(self.proxy), "/.well-known/security.txt"
        for path, status in (("/", 302), ("/audit/", 302), ("/readyz", 302), (told, 200)):
            answer = session.get(self.proxy.origin + path, allow_redirects=False, timeout=10)
            self.assertEqual(answer.status_code, status, path)
        self.assertNotIn("subject", str(answer.json()).lower())


class ServerTests(PartTestCase):
    def test_it_serves_at_a_port_and_stops(self) -> None:
        with Sandbox() as sandbox, Server(sandbox.url, **OIDC, WEB_WORKERS="1") as server:
            said = server.manage("shell", "--no-imports", "-c", "import os; print(os.environ)")
            self.assertNotIn("VIRTUAL_ENV", said)
            answer = self.browser().get(server.upstream, allow_redirects=False, timeout=5)
            self.assertEqual(answer.headers["Location"], f"https{server.upstream[4:]}")
            self.assertEqual(server.stop(), 0)
        self.assertIn('"path": "/"', server.output())
