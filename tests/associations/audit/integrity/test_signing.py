"""The keys: who signs, whose signatures count, and what is said of a key that is none."""

import base64
import hashlib

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from django.conf import settings
from django.test import SimpleTestCase, override_settings

from associations.audit.integrity import signing

HEAD = "5e" * 32
SECRET, PUBLIC = signing.new_key()


class SigningTests(SimpleTestCase):
    def test_a_new_key_is_a_pair_of_32_bytes_each(self) -> None:
        secret, public = (base64.b64decode(text, validate=True) for text in (SECRET, PUBLIC))
        self.assertEqual((len(secret), len(public)), (32, 32))
        derived = Ed25519PrivateKey.from_private_bytes(secret).public_key().public_bytes_raw()
        self.assertEqual(derived, public)

    def test_no_two_new_keys_are_the_same(self) -> None:
        self.assertEqual(len({signing.new_key() for _ in range(5)}), 5)

    @override_settings(AUDIT_SIGNING_KEY=SECRET)
    def test_a_signature_is_that_of_the_hex_digits_of_the_head(self) -> None:
        key = Ed25519PublicKey.from_public_bytes(base64.b64decode(PUBLIC))
        key.verify(base64.b64decode(signing.sign(HEAD)), HEAD.encode())

    @override_settings(AUDIT_SIGNING_KEY=SECRET)
    def test_a_signature_is_good_for_its_head_alone(self) -> None:
        signature, own = signing.sign(HEAD), signing.own_key()
        self.assertTrue(own.signed(HEAD, signature))
        self.assertFalse(own.signed(HEAD.replace("5", "6"), signature))

    @override_settings(AUDIT_SIGNING_KEY=SECRET)
    def test_a_signature_of_another_key_is_none(self) -> None:
        signature = signing.sign(HEAD)
        with self.settings(AUDIT_SIGNING_KEY=settings.AUDIT_SIGNING_KEY):
            self.assertTrue(signing.own_key().signed(HEAD, signature))
        with self.settings(AUDIT_SIGNING_KEY=signing.new_key()[0]):
            self.assertFalse(signing.own_key().signed(HEAD, signature))

    @override_settings(AUDIT_SIGNING_KEY=SECRET)
    def test_what_is_no_signature_at_all_is_none(self) -> None:
        own = signing.own_key()
        for text in ("", "x", "ä", "=", signing.sign(HEAD)[:-4], signing.sign(HEAD) + "AAAA"):
            with self.subTest(text):
                self.assertFalse(own.signed(HEAD, text))

    @override_settings(AUDIT_SIGNING_KEY=SECRET)
    def test_the_id_of_a_key_is_the_beginning_of_the_digest_of_its_bytes(self) -> None:
        own = signing.own_key()
        self.assertEqual(own.text, PUBLIC)
        self.assertEqual(own.id, hashlib.sha256(base64.b64decode(PUBLIC)).hexdigest()[:16])


class TrustedKeysTests(SimpleTestCase):
    def trusted(self, secret: str, *public: str) -> set[str]:
        with self.settings(AUDIT_SIGNING_KEY=secret, AUDIT_PUBLIC_KEYS=[*public]):
            return {key.text for key in signing.trusted_keys().values()}

    def test_the_own_one_and_those_named(self) -> None:
        _, other = signing.new_key()
        self.assertEqual(self.trusted(SECRET), {PUBLIC})
        self.assertEqual(self.trusted(SECRET, other), {PUBLIC, other})
        self.assertEqual(self.trusted(SECRET, PUBLIC), {PUBLIC})
        self.assertEqual(self.trusted("", other, PUBLIC), {PUBLIC, other})
        self.assertEqual(self.trusted(""), set())

    def test_they_are_found_by_their_ids(self) -> None:
        with self.settings(AUDIT_SIGNING_KEY=SECRET):
            for key_id, key in signing.trusted_keys().items():
                self.assertEqual(key_id, key.id)


class NoKeyTests(SimpleTestCase):
    def assert_told(self, *parts: str) -> None:
        with self.assertRaises(signing.SigningKeyError) as caught:
            signing.trusted_keys()
            signing.own_key()
        for part in parts:
            self.assertIn(part, str(caught.exception))

    @override_settings(AUDIT_SIGNING_KEY="")
    def test_one_that_is_missing(self) -> None:
        self.assert_told("AUDIT_SIGNING_KEY is not set", "make_audit_key")
        with self.assertRaises(signing.SigningKeyError):
            signing.sign(HEAD)

    def test_one_that_is_none(self) -> None:
        for text in ("secret", "ä" * 44, SECRET[:-4], SECRET + "AAAA", "a" * 44 + "=", "0" * 64):
            with self.subTest(text), self.settings(AUDIT_SIGNING_KEY=text):
                self.assert_told("AUDIT_SIGNING_KEY is no key", "32 bytes in base64")

    def test_a_secret_is_not_told(self) -> None:
        with (
            self.settings(AUDIT_SIGNING_KEY=SECRET[:-4]),
            self.assertRaises(signing.SigningKeyError) as caught,
        ):
            signing.own_key()
        self.assertNotIn(SECRET[:8], str(caught.exception))

    def test_a_public_one_that_is_none_is_named(self) -> None:
        for text in ("public", PUBLIC[:-4], "ä"):
            with self.subTest(text), self.settings(AUDIT_PUBLIC_KEYS=[PUBLIC, text]):
                self.assert_told("AUDIT_PUBLIC_KEYS names", repr(text), "32 bytes in base64")
