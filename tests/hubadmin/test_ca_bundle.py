"""CA_BUNDLE: an authority of one's own, believed by whatever asks others over TLS."""

import json
import os
import shutil
import ssl
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from django.conf import settings
from django.test import SimpleTestCase, override_settings, tag

from hubadmin.sso import doctor, gateway_token, oidc_provider
from hubadmin.web.doctor import Level
from tests.hubadmin.test_checks import CheckTestCase
from tests.identity import forgery
from tests.identity.apache import certify
from tests.support import needed


class Provider(BaseHTTPRequestHandler):
    """An identity provider of the company's, and the keys of its load balancer."""

    def do_GET(self) -> None:
        issuer = f"https://localhost:{self.server.server_port}"
        endpoints = dict.fromkeys(oidc_provider.ENDPOINTS, f"{issuer}/jwks")
        answers = {
            "/.well-known/openid-configuration": json.dumps({"issuer": issuer} | endpoints),
            "/jwks": json.dumps(forgery.jwks(good=forgery.GOOD)),
            "/jwks/one": forgery.GOOD_PEM.decode(),
        }
        self.send_response(200)
        self.end_headers()
        self.wfile.write(answers[self.path].encode())

    def log_message(self, *arguments: object) -> None:
        pass


@needed(shutil.which("openssl"), "openssl")
class BelievedTests(SimpleTestCase):
    ASKING: dict[str, Callable[[], object]] = {
        "OpenID Connect": lambda: oidc_provider.provider().fetch_jwk_set(),
        "a gateway's keys": lambda: gateway_token._key_set().fetch_data(),
        "a load balancer's keys": lambda: gateway_token._load_balancer_key("one"),
    }

    @classmethod
    def setUpClass(cls) -> None:
        super().setUpClass()
        folder = Path(cls.enterClassContext(tempfile.TemporaryDirectory()))
        cls.bundle = folder / "ca.pem"
        certify(cls.bundle, folder / "key.pem")
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        context.load_cert_chain(cls.bundle, folder / "key.pem")
        server = cls.enterClassContext(ThreadingHTTPServer(("127.0.0.1", 0), Provider))
        server.socket = context.wrap_socket(server.socket, server_side=True)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        cls.addClassCleanup(server.shutdown)
        issuer = f"https://localhost:{server.server_port}"
        addresses = {"SSO_ISSUER": issuer, "SSO_KEYS_URL": f"{issuer}/jwks"}
        cls.enterClassContext(override_settings(SSO_DISCOVERY_URL="", **addresses))

    def test_with_it_whoever_asks_believes_the_authority(self) -> None:
        for name, ask in self.ASKING.items():
            with self.subTest(name), override_settings(CA_BUNDLE=str(self.bundle)):
                self.assertTrue(ask())

    def test_the_doctor_believes_whom_signing_in_believes(self) -> None:
        for mode in ("oidc", "assertion"):
            for bundle, level in ((str(self.bundle), Level.OK), ("", Level.FAILED)):
                with (
                    self.subTest(mode, bundle=bundle),
                    override_settings(SSO_MODE=mode, CA_BUNDLE=bundle),
                ):
                    self.assertEqual({each.level for each in doctor.look()}, {level})

    def test_and_without_it_nobody(self) -> None:
        for name, ask in self.ASKING.items():
            with self.subTest(name), override_settings(CA_BUNDLE=""):
                self.assertRaisesRegex(Exception, "CERTIFICATE_VERIFY_FAILED", ask)


class SettingTests(CheckTestCase):
    def test_what_is_no_file_of_certificates_is_named(self) -> None:
        for file in ("/nonexistent/ca.pem", __file__, "/"):
            with self.subTest(file):
                self.assert_says("hubadmin.E040", CA_BUNDLE=file)

    @tag("long")
    def test_hubspot_has_it_unless_there_is_one_for_hubspot(self) -> None:
        code = "from django.conf import settings as s; print(s.HUBSPOT_CA_BUNDLE)"
        for own, believed in ({}, "/a.pem"), ({"HUBSPOT_CA_BUNDLE": "/b.pem"}, "/b.pem"):
            told = {"ENV_FILE": "", "SECRET_KEY": "x", "CA_BUNDLE": "/a.pem"} | own
            ended = subprocess.run(
                [sys.executable, settings.BASE_DIR / "manage.py", "shell", "-v0", "-c", code],
                env={"PATH": os.environ["PATH"]} | told,
                capture_output=True,
                text=True,
                timeout=60,
            )
            self.assertEqual(ended.stdout.strip(), believed, ended.stderr)
