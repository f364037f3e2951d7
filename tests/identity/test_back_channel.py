"""Back-channel logout by a real provider, with hubadmin on two machines."""

import time
import unittest

import requests
from django.test import tag

from hubadmin.demo.sandbox import Sandbox
from tests.identity import apache, real_provider
from tests.identity.apache import Apache, tls_proxy
from tests.identity.real_provider import RealProvider, submit
from tests.identity.server import Server
from tests.support import needed


@tag("own_database")
@needed(real_provider.AVAILABLE, "the identity provider (npm ci --prefix tests/identity/provider)")
@needed(apache.AVAILABLE, "Apache with mod_auth_openidc")
class BackChannelTests(unittest.TestCase):
    @classmethod
    def setUpClass(cls) -> None:
        super().setUpClass()
        hubspot = cls.enterClassContext(Sandbox())
        cls.provider = cls.enterClassContext(RealProvider())
        settings = {
            "SSO_MODE": "oidc",
            "SSO_ISSUER": cls.provider.issuer,
            "SSO_CLIENT_ID": cls.provider.client_id,
            "SSO_CLIENT_SECRET": cls.provider.client_secret,
            "SSO_SCOPES": "openid profile email groups",
        }
        cls.server = cls.enterClassContext(Server(hubspot.url, **settings))
        shared = {name: cls.server.environment[name] for name in ("DATABASE_URL", "SECRET_KEY")}
        another = cls.enterClassContext(Server(hubspot.url, **settings, **shared))
        # People come through the one, the provider to the other.
        cls.people = cls.enterClassContext(Apache(tls_proxy(cls.server.upstream)))
        cls.told = cls.enterClassContext(Apache(tls_proxy(another.upstream)))

    def register(self, *, with_sid: bool) -> None:
        self.provider.register(
            [f"{self.people.origin}/sign-in/callback"],
            back_channel=f"{self.told.origin}/sign-out/back-channel",
            with_sid=with_sid,
        )

    @staticmethod
    def let_a_second_pass() -> None:
        """Tokens tell whole seconds: a sign-in of a logout's own passes for one before it."""
        time.sleep(1.1)

    def setUp(self) -> None:
        self.let_a_second_pass()
        self.register(with_sid=True)
        for sub in ("mina", "noah"):
            self.provider.set_account(sub, ["support"])
        self.provider.clear_log()

    def signed_in(self, sub: str) -> requests.Session:
        session = self.enterContext(requests.Session())
        session.trust_env, session.verify = False, str(self.people.certificate)
        start = f"{self.people.origin}/sign-in/start?next=/requests/"
        landed = submit(session, session.get(start), login=sub)
        self.assertEqual(landed.url, f"{self.people.origin}/requests/")
        return session

    def is_in(self, session: requests.Session) -> bool:
        address = f"{self.people.origin}/requests/"
        return session.get(address, allow_redirects=False).status_code == 200

    def test_who_is_signed_out_by_the_providers_admin_is_out_at_once(self) -> None:
        for with_sid in (True, False):
            with self.subTest(with_sid=with_sid):
                self.register(with_sid=with_sid)
                self.let_a_second_pass()
                mina, again, noah = map(self.signed_in, ("mina", "mina", "noah"))
                self.assertTrue(self.is_in(mina) and self.is_in(again))
                begun = time.monotonic()
                self.provider.sign_out("mina")
                self.assertFalse(self.is_in(mina) or self.is_in(again))
                self.assertLess(time.monotonic() - begun, 5)
                self.assertTrue(self.is_in(noah))

    def test_who_signs_out_at_the_provider_is_out_here_in_that_browser_only(self) -> None:
        mina, elsewhere = self.signed_in("mina"), self.signed_in("mina")
        page = mina.get(f"{self.provider.issuer}/session/end")
        submit(mina, page, logout="yes")
        self.assertEqual(self.provider.log("backchannel.error"), [])
        self.assertEqual(len(self.provider.log("backchannel.success")), 1)
        self.assertFalse(self.is_in(mina))
        self.assertTrue(self.is_in(elsewhere))

    def test_a_logout_by_a_key_that_was_rotated_since(self) -> None:
        mina = self.signed_in("mina")
        self.provider.rotate_keys()
        self.provider.sign_out("mina")
        self.assertFalse(self.is_in(mina))
