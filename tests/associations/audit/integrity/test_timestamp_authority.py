"""What an authority may answer, and what is said of it."""

import time
from datetime import UTC, datetime, timedelta
from unittest import mock

from django.test import SimpleTestCase, override_settings

from associations.audit.integrity import timestamp_authority
from associations.audit.integrity.manifest import head_of
from associations.audit.integrity.timestamp_authority import AuthorityError, ask, prove
from tests.associations.audit.integrity.authority import (
    Authority,
    dripping,
    keys,
    needs_openssl,
    openssl,
    query_about,
    reply,
)

TEXT = "hubadmin-seal 2\nnumber 1\n"
HEAD = head_of(TEXT)


@needs_openssl
class AuthorityTests(SimpleTestCase):
    def setUp(self) -> None:
        self.authority = self.enterContext(Authority().serving())

    def assert_none(self, why: str) -> None:
        with self.assertRaisesRegex(AuthorityError, why):
            ask(TEXT)

    def signed_by(self, signer: str, **how: str) -> None:
        self.authority.behave = lambda query, _: reply(query, signer=signer, **how)

    def test_an_honest_answer_is_a_time(self) -> None:
        answer, told = ask(TEXT)
        self.assertLess(abs(told.at - datetime.now(UTC)), timedelta(seconds=5))
        self.assertEqual(told.policy, "1.3.6.1.4.1.99999.1")
        self.assertEqual(prove(answer, HEAD, timestamp_authority.authorities()), told)
        (asked,) = self.authority.asked
        self.assertEqual(asked["headers"]["Content-Type"], "application/timestamp-query")
        self.assertNotIn("Authorization", asked["headers"])
        self.assertIn(bytes.fromhex(HEAD), asked["query"])

    def test_every_question_has_a_nonce_of_its_own(self) -> None:
        ask(TEXT), ask(TEXT)
        first, second = (each["query"] for each in self.authority.asked)
        self.assertNotEqual(first, second)

    def test_a_name_and_a_password_go_along(self) -> None:
        with override_settings(AUDIT_TSA_USER="ada", AUDIT_TSA_PASSWORD="canary"):
            ask(TEXT)
        self.assertEqual(
            self.authority.asked[0]["headers"]["authorization"], "Basic YWRhOmNhbmFyeQ=="
        )

    def test_a_chain_comes_in_any_order(self) -> None:
        """OpenSSL sends it as it stands in the file, which DER does not allow."""
        for chain in ("chain.pem", "backwards.pem"):
            self.signed_by("deeper", chain=chain)
            answer, told = ask(TEXT)
            self.assertEqual(prove(answer, HEAD, timestamp_authority.authorities()), told)

    def test_another_authority(self) -> None:
        self.signed_by("other")
        self.assert_none("no authority of AUDIT_TSA_CA vouches for its signature")

    def test_a_certificate_that_had_expired(self) -> None:
        self.signed_by("short")
        self.assert_none("was not valid at the time that it tells .certificate has expired")

    def test_one_that_expires_later_was_good_then(self) -> None:
        at = datetime(2025, 12, 30, tzinfo=UTC)
        answer = reply(query_about(HEAD), signer="short", at=at)
        self.assertEqual(prove(answer, HEAD, timestamp_authority.authorities()).at, at)

    def test_a_certificate_for_something_else(self) -> None:
        self.signed_by("mailer")
        self.assert_none("not one for timestamps|vouches for its signature")

    def test_another_head(self) -> None:
        self.authority.behave = lambda *_: reply(query_about("ab" * 32))
        self.assert_none("is another text")

    def test_a_nonce_that_is_not_echoed(self) -> None:
        for nonce in (True, False):
            self.authority.behave = lambda *_, nonce=nonce: reply(query_about(HEAD, nonce))
            self.assert_none("the nonce is not ours")

    def test_an_altered_answer(self) -> None:
        def altered(query: bytes, _: object) -> bytes:
            answer = bytearray(reply(query))
            answer[-5] ^= 1  # within the signature
            return bytes(answer)

        self.authority.behave = altered
        self.assert_none("its signature is not valid|cannot be read")

    def test_another_time_under_the_same_signature(self) -> None:
        answer = reply(query_about(HEAD))
        year = datetime.now(UTC).strftime("%Y").encode()
        for at in range(len(answer)):
            if answer[at : at + 6] == b"\x18\x0f" + year:
                other = answer[:at] + b"\x18\x0f2020" + answer[at + 6 :]
        with self.assertRaises(AuthorityError):
            prove(other, HEAD, timestamp_authority.authorities())

    def test_a_refusal(self) -> None:
        sha1 = ["ts", "-query", "-digest", "ab" * 20, "-sha1"]
        self.authority.behave = lambda *_: reply(openssl(keys(), *sha1))
        self.assert_none("it refused .PKIStatus 2")

    def test_a_page_instead(self) -> None:
        self.authority.behave = lambda *_: b"<html>Sign in, Ada</html>"
        self.authority.kind = "text/html; charset=utf-8"
        self.assert_none("no timestamp but text/html$")
        self.authority.kind = "\x1b[31m<script>"
        self.assert_none("no timestamp$")

    def test_what_is_no_answer_at_all(self) -> None:
        for body in (b"", b"\x30", b"\x30\x80\x00\x00", b"\x30\x03\x02\x01\x00", b"\x30" * 5000):
            with self.subTest(body=body[:8]):
                self.authority.behave = lambda *_, body=body: body
                self.assert_none("cannot be read|no timestamp")

    def test_a_status_that_says_no(self) -> None:
        self.authority.behave = lambda *_: b"no"
        for status, why in (
            (401, "HTTP status 401: AUDIT_TSA_USER and AUDIT_TSA_PASSWORD"),
            (302, "HTTP status 302: it has moved; correct AUDIT_TSA_URL"),
            (503, "HTTP status 503$"),
        ):
            self.authority.status = status
            self.assert_none(why)

    def test_a_huge_answer_is_not_read(self) -> None:
        self.authority.behave = lambda *_: b"\x30" * 5_000_000
        self.assert_none("larger than 64 KiB")

    def test_a_slow_answer_takes_no_longer_than_it_may(self) -> None:
        self.authority.behave = dripping
        began = time.monotonic()
        with mock.patch.object(timestamp_authority, "SECONDS", 1.0):
            self.assert_none("did not answer within 1 seconds")
        self.assertLess(time.monotonic() - began, 3)

    def test_nobody_there(self) -> None:
        for url in ("http://127.0.0.1:9/", "http://nowhere.invalid/", "ftp://x/", "http://["):
            with override_settings(AUDIT_TSA_URL=url):
                self.assert_none("it cannot be reached: .")

    def test_certificates_that_are_none(self) -> None:
        for file, why in (
            ("", "AUDIT_TSA_CA is not set"),
            ("/nowhere.pem", "AUDIT_TSA_CA cannot be read: No such file"),
            (str(keys() / "tsa.cnf"), "holds no certificates in PEM"),
        ):
            with override_settings(AUDIT_TSA_CA=file):
                self.assert_none(why)
        self.assertEqual(self.authority.asked, [])
