"""The auditor's script and a third party's times, by OpenSSL instead of our library."""

import base64
from pathlib import Path

from associations.models import AuditTimestamp
from tests.associations.audit.integrity.authority import keys, needs_openssl, query_about, reply
from tests.associations.audit.integrity.base import LogTestCase
from tests.associations.audit.integrity.stamped import StampedMixin
from tests.associations.audit.integrity.test_independent import AuditorMixin


@needs_openssl
class IndependentTimesTests(AuditorMixin, StampedMixin, LogTestCase):
    days = 3

    def setUp(self) -> None:
        super().setUp()
        self.stamped_log()
        self.times = f"--times={keys() / 'ca.pem'}"
        self.rows = list(AuditTimestamp.objects.order_by("pk"))

    def test_each_time_is_proven_and_told(self) -> None:
        said = self.assert_proves(self.exported(), self.seals_file(), self.times)
        for row in self.rows:
            told = f"seal {row.seal}: a third party knew it on {row.told_at:%Y-%m-%d %H:%M:%S} UTC"
            self.assertIn(told, said)
        self.assertIn(f"timestamp {self.rows[0].pk}: proven", said)
        self.assertIn(f"timestamp {self.rows[2].pk}: in no seal", said)

    def test_without_certificates_it_says_so(self) -> None:
        said = self.assert_proves(self.seals_file())
        self.assertIn("Times that a third party told: 3; --times=CA.pem proves them", said)

    def test_another_authority(self) -> None:
        other = f"--times={keys() / 'stranger.pem'}"
        self.assert_refuses("openssl ts -verify says no: .*", self.seals_file(), other)

    def test_a_token_of_another_authority_or_another_head(self) -> None:
        """In a line that no seal holds yet, so that nothing but the token is amiss."""
        row = self.rows[2]
        for answer in (
            reply(query_about(row.head), signer="other"),
            reply(query_about("ab" * 32)),
            b"<html>",
        ):
            file = self.altered(row.token, base64.b64encode(answer).decode())
            self.assert_refuses("openssl ts -(verify|reply) says no", file, self.times)

    def test_a_certificate_that_is_valid_no_more_was_good_then(self) -> None:
        row = self.rows[2]
        at = row.told_at.replace(year=2025)
        answer = base64.b64encode(reply(query_about(row.head), signer="short", at=at)).decode()
        file = self.altered(row.token, answer)
        self.assert_refuses(f"seal {row.seal} was dated ahead", file, self.times)

    def test_a_seal_that_is_another_now(self) -> None:
        self.rewrite(2)
        self.assert_refuses("seal 2 was rewritten", self.seals_file())

    def altered(self, old: str, new: str) -> Path:
        return self.change(self.seals_file(), old, new)
