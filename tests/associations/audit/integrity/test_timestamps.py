"""A third party's time on the seals: asked for, kept, and what it shows of a log made anew."""

import base64
from contextlib import suppress
from datetime import timedelta
from pathlib import Path
from tempfile import TemporaryDirectory
from types import SimpleNamespace
from unittest import mock

from django.test import SimpleTestCase, override_settings, tag
from django.utils import timezone

from associations.audit.integrity import (
    pruning,
    signing,
    stamping,
    timestamp_authority,
    timestamps,
)
from associations.audit.integrity.stamping import Stamping
from associations.checks import timestamps as timestamp_settings
from associations.models import AuditSeal, AuditTimestamp
from associations.status.auditlog import log_lines
from tests.associations.audit.integrity.authority import keys, needs_openssl, query_about, reply
from tests.associations.audit.integrity.base import (
    CommittedLogTestCase,
    LogTestCase,
    as_owner,
    items_of,
    run,
    seal,
    sql,
    undone,
)
from tests.associations.audit.integrity.stamped import DAY, NOON, TIMESTAMP, StampedMixin

LOGGER = "hubadmin.audit"


@needs_openssl
class StampingTests(StampedMixin, LogTestCase):
    def test_each_days_last_seal_has_one(self) -> None:
        self.stamped_log(3)
        rows = AuditTimestamp.objects.order_by("pk")
        heads = dict(AuditSeal.objects.values_list("number", "head"))
        self.assertEqual([row.seal for row in rows], [1, 2, 3])
        for day, row in enumerate(rows):
            self.assertEqual(row.head, heads[row.seal])
            told_at = self.began + (day + 1) * DAY + timedelta(minutes=1, seconds=5)
            self.assertEqual(row.told_at, told_at)
        self.assertEqual(rows[0].policy, "1.3.6.1.4.1.99999.1")
        self.assertEqual(rows[2].serial, f"{int(rows[1].serial, 16) + 1:x}")
        self.assertIn(("timestamp", rows[0].pk), items_of(AuditSeal.objects.get(number=2)))

    def test_only_the_last_one_of_a_day_and_only_once(self) -> None:
        self.work(0)
        with self.at(self.noon(0) + timedelta(hours=1)):
            self.entry()
        last = seal(at=self.noon(0) + timedelta(hours=2))[-1]
        asking = Stamping()
        for _ in range(3):
            self.stamp(0, asking)
        self.assertEqual(AuditTimestamp.objects.get().seal, last.number)
        self.assertEqual(len(self.authority.asked), 1)

    def test_the_day_has_to_be_over(self) -> None:
        self.work(0)
        now = self.noon(0) + timedelta(hours=11)
        clock = SimpleNamespace(now=lambda: now)
        with mock.patch.object(stamping, "timezone", clock):
            self.assertEqual(Stamping().go_on(), "")
        self.assertEqual(self.authority.asked, [])

    def test_days_of_UTC_whatever_the_sites_zone(self) -> None:
        self.work(0)
        with override_settings(TIME_ZONE="Pacific/Kiritimati"):
            due = timestamps.due(self.began + DAY)
        self.assertEqual((due.seal.number, due.since), (1, self.began + DAY))

    def test_without_an_address_nobody_is_asked(self) -> None:
        self.work(0)
        with override_settings(AUDIT_TSA_URL=""):
            self.stamp(0)
        self.assertEqual(self.authority.asked, [])

    def test_made_up_rows_keep_nothing_from_being_asked(self) -> None:
        self.stamped_log(1)
        values = AuditTimestamp.objects.values().get()
        AuditTimestamp.objects.create(**(values | {"id": None, "seal": 10**6}))
        self.work(1)
        self.stamp(1)
        self.assertEqual(timestamps.newest().seal, 2)

    def test_a_clock_that_is_wrong_is_told(self) -> None:
        self.work(0)
        now = self.began + DAY
        clock = SimpleNamespace(now=lambda: now)
        with mock.patch.object(stamping, "timezone", clock):
            self.assertRegex(Stamping().go_on(), "it says that it is .* UTC, and the clock here")
        self.assertFalse(AuditTimestamp.objects.exists())

    def test_the_command_asks_too(self) -> None:
        self.work(0)
        self.authority.status = 503
        code, said = run("seal_audit_log")
        self.assertEqual(code, 0)
        self.assertIn("No third party's time on the seals now: it answered with HTTP", said)
        self.authority.status = 200
        self.assertEqual(run("seal_audit_log"), (0, "Nothing is left to seal.\n"))
        self.assertEqual(AuditTimestamp.objects.get().seal, 1)


@needs_openssl
class AwayTests(StampedMixin, LogTestCase):
    """The authority does not answer for a day."""

    def test_sealing_goes_on_and_one_warning_a_day_says_why(self) -> None:
        self.stamped_log(2)
        asking = Stamping()
        self.work(2)
        self.authority.status = 503
        with self.assertLogs(LOGGER, "INFO") as logs:
            for _ in range(5):
                asking._next = 0.0
                self.stamp(2, asking)
            self.work(3)
            asking._next = 0.0
            self.stamp(3, asking)
        told = [each for each in logs.records if "timestamp authority" in each.message]
        levels = [each.levelname for each in told]
        self.assertEqual(levels, ["WARNING", "INFO", "INFO", "INFO", "INFO", "WARNING"])
        self.assertEqual(told[0].why, "it answered with HTTP status 503")
        self.assertEqual([each.seal for each in told], [3, 3, 3, 3, 3, 4])
        since = {each.since for each in told}
        self.assertEqual(since, {(self.began + 3 * DAY).isoformat()})
        pauses = [each.again_in_seconds for each in told]
        self.assertEqual(pauses, [60, 120, 240, 480, 960, 1920])
        self.authority.status = 200
        asking._next = 0.0
        self.stamp(3, asking)
        self.assertEqual(timestamps.newest().seal, 4)
        self.stamp_the_rest(4)
        self.assert_proven()

    def stamp_the_rest(self, first: int) -> None:
        for day in range(first, self.days):
            self.work(day)
            self.stamp(day)

    def test_it_waits_before_it_asks_again(self) -> None:
        self.work(0)
        self.authority.status = 503
        asking = Stamping()
        for _ in range(3):
            self.stamp(0, asking)
        self.assertEqual(len(self.authority.asked), 1)
        for _ in range(12):
            asking._next = 0.0
            self.stamp(0, asking)
        self.assertEqual(asking._pause, stamping.LONGEST_PAUSE)


@needs_openssl
class ProvenTests(StampedMixin, LogTestCase):
    def test_it_is_told(self) -> None:
        self.stamped_log()
        said = self.assert_proven()
        at = self.began + self.days * DAY + timedelta(minutes=1, seconds=5)
        told = f"A third party knew seal 5 on {at:%Y-%m-%d %H:%M:%S} UTC; its times on 5 seals"
        self.assertIn(told, said)

    def test_without_certificates_nothing_is_said_to_be_proven_by_them(self) -> None:
        self.stamped_log()
        with override_settings(AUDIT_TSA_CA=""):
            self.assertIn("AUDIT_TSA_CA is not set here, so nobody", self.assert_proven())
        with override_settings(AUDIT_TSA_CA="/nowhere.pem"):
            self.assert_not_proven("AUDIT_TSA_CA cannot be read: No such file")

    def test_a_part_of_the_log(self) -> None:
        self.stamped_log()
        head = AuditSeal.objects.get(number=3).head
        self.assert_proven("--after", head)

    def test_a_token_of_another_authority(self) -> None:
        self.stamped_log()
        self.forge(reply(query_about(self.head(3)), signer="other"))
        self.assert_not_proven("of seal 3 proves nothing: no authority of AUDIT_TSA_CA vouches")

    def test_a_token_of_another_head(self) -> None:
        self.stamped_log()
        self.forge(reply(query_about("ab" * 32)))
        self.assert_not_proven("of seal 3 proves nothing: what it tells the time of is another")

    def test_no_token_at_all(self) -> None:
        self.stamped_log()
        self.forge(b"<html>")
        self.assert_not_proven("Timestamp [0-9]+ of seal 3 proves nothing: its answer")
        self.forge(b"", token="ü")
        self.assert_not_proven("Timestamp [0-9]+ of seal 3 proves nothing: it holds no answer")

    def test_one_that_nobody_with_the_key_has_kept(self) -> None:
        self.stamped_log()
        self.forge(reply(query_about("ab" * 32)), head="ab" * 32, signature="x")
        self.assert_not_proven("Timestamp [0-9]+ was made up: nobody with a key that is trusted")

    def test_a_seal_that_says_that_it_is_later(self) -> None:
        self.stamped_log(self.days - 1)
        last = self.work(self.days - 1)
        at = last.sealed_at - timedelta(hours=2)
        self.keep(reply(query_about(last.head), at=at), last)
        seal()
        self.assert_not_proven(f"Seal {last.number} says .*, but a third party knew seal")

    def test_what_the_row_says_of_its_token(self) -> None:
        self.stamped_log()
        last = AuditSeal.objects.get(number=3)
        self.keep(reply(query_about(last.head)), last, told_at=timezone.now())
        seal()
        self.assert_not_proven("of seal 3 says something else than its authority")

    def test_an_altered_or_removed_one_is_found_by_the_seals(self) -> None:
        self.stamped_log()
        pk = AuditTimestamp.objects.earliest("pk").pk
        with as_owner():
            sql(f"DELETE FROM {TIMESTAMP} WHERE id = {pk}")
        self.assert_not_proven(f"Timestamp {pk} was removed: seal 2 holds it")

    def head(self, number: int) -> str:
        return AuditSeal.objects.get(number=number).head

    def forge(self, answer: bytes, **fields: str) -> None:
        """Somebody with the right to insert, and with the key unless `fields` say otherwise."""
        self.keep(answer, AuditSeal.objects.get(number=3), **fields)
        seal()

    def keep(self, answer: bytes, of: AuditSeal, **fields: object) -> None:
        values = {"asked_at": timezone.now(), "seal": of.number, "head": of.head}
        values |= {"told_at": timezone.now(), "policy": "1.2", "serial": "1"}
        values |= {"token": base64.b64encode(answer).decode()}
        with suppress(timestamp_authority.AuthorityError):
            told = timestamp_authority.prove(answer, of.head, ())
            values |= {"told_at": told.at, "policy": told.policy, "serial": told.serial}
        row = AuditTimestamp(**(values | fields))
        row.signature = row.signature or signing.sign(row.statement)
        row.save(force_insert=True)


@tag("long")
@needs_openssl
class RewrittenTests(StampedMixin, LogTestCase):
    """Thirty days made anew by the database's administrator, who has stolen the real key."""

    days = 34

    def test_whatever_becomes_of_the_times_it_is_found(self) -> None:
        self.stamped_log()
        self.assert_proven()
        for each in (
            self.the_times_stay,
            self.some_times_are_left_out,
            self.all_times_are_left_out,
            self.a_time_of_today_is_had,
            self.no_time_of_before_is_left,
            self.the_newest_seals_are_cut_off,
        ):
            with self.subTest(each.__name__), undone():
                each()

    def days_since(self, day: int) -> str:
        """From the seal of that day until now, to a tenth, or to the next where that is near."""
        days = (timezone.now() - self.noon(day) - timedelta(minutes=1)) / DAY
        return f"({days:.1f}|{days + 0.001:.1f})"

    def the_times_stay(self) -> None:
        self.rewrite(5)
        said = self.assert_not_proven(
            "NOT PROVEN. Seal 5 was rewritten, or made anew after an older backup was restored: a "
            "third party knew seal 5 on "
        )
        self.assertIn("Proven before that: up to seal 4.", said)

    def some_times_are_left_out(self) -> None:
        with as_owner():
            sql(f"DELETE FROM {TIMESTAMP} WHERE seal BETWEEN 5 AND 20")
        self.rewrite(5)
        said = self.assert_not_proven("NOT PROVEN. Seals 5 to 21 were rewritten")
        self.assertIn("Proven before that: up to seal 4.", said)

    def all_times_are_left_out(self) -> None:
        self.rewrite(5, without_times=True)
        self.assert_not_proven(
            f"For {self.days_since(4)} days, from .* on, no third party knew a seal"
        )

    def a_time_of_today_is_had(self) -> None:
        self.rewrite(5, without_times=True)
        self.authority.at = None
        self.assertEqual(Stamping().go_on(), "")
        self.assert_not_proven(
            f"For {self.days_since(4)} days, .* until a third party knew seal 34 on "
        )

    def no_time_of_before_is_left(self) -> None:
        self.rewrite(1, without_times=True)
        self.authority.at = None
        self.assertEqual(Stamping().go_on(), "")
        self.assert_proven()  # as if it had been asked for the first time today
        with override_settings(AUDIT_TSA_SINCE=self.began.date().isoformat()):
            self.assert_not_proven(
                f"For {self.days_since(0)} days, .* until a third party knew seal 34 on "
            )

    def the_newest_seals_are_cut_off(self) -> None:
        with as_owner():
            sql("DELETE FROM associations_auditseal WHERE number > 30")
        self.assert_not_proven("The seals after seal 30 are gone: a third party knew seal 31 on ")


@needs_openssl
class GapTests(StampedMixin, LogTestCase):
    days = 9

    def setUp(self) -> None:
        super().setUp()
        self.stamped_log(2)

    def go_on(self, first: int) -> None:
        for day in range(first, self.days):
            self.work(day)
            self.stamp(day)

    def test_two_days_without_an_answer_are_none(self) -> None:
        self.work(2), self.work(3)
        self.go_on(4)
        self.assert_proven()

    def test_longer_is_told_until_somebody_has_looked_into_it(self) -> None:
        for day in range(2, 6):
            self.work(day)
        self.go_on(6)
        self.assert_not_proven("For 4.5 days, .* no third party knew a seal, until a third party")
        since = (self.began + 6 * DAY).date().isoformat()
        with override_settings(AUDIT_TSA_SINCE=since):
            self.assert_proven()
        with override_settings(AUDIT_TSA_SINCE="last week"):
            self.assert_not_proven("AUDIT_TSA_SINCE is 'last week', which is no day")

    def test_none_since_then(self) -> None:
        for day in range(2, 7):
            self.work(day)
        self.assert_not_proven("For [67].. days, .* no third party knew a seal. Either")
        # A copy that was taken then lacks nothing.
        code, said = run("verify_audit_log", as_of=self.began + 4 * DAY)
        self.assertEqual(code, 0, said)


@needs_openssl
class PrunedTests(StampedMixin, CommittedLogTestCase):
    def test_what_is_pruned_needs_no_seal_any_more(self) -> None:
        self.stamped_log()
        file = Path(self.enterContext(TemporaryDirectory())) / "a.jsonl"
        last = AuditSeal.objects.get(number=3)
        sha256, *_ = pruning.write_archive(file, last)
        pruning.prune(last, file.name, sha256)
        self.assertEqual({*AuditTimestamp.objects.values_list("seal", flat=True)}, {3, 4, 5})
        self.assertIn("its times on 3 seals", self.assert_proven())
        self.assertEqual(run("verify_audit_log", "--archive", str(file))[0], 0)


@needs_openssl
class StatusTests(StampedMixin, LogTestCase):
    """What `/status/` and `manage.py status` say of it."""

    def lines(self, after: timedelta) -> list[tuple[str, str]]:
        now = self.began + after
        told = [each for each in log_lines(now) if "third party" in each.text]
        return [(each.level, each.text) for each in told]

    def test_the_newest_one(self) -> None:
        [(level, text)] = self.lines(NOON)
        self.assertEqual((level, text), ("well", "No third party has told the time of a seal yet."))
        self.stamped_log(2)
        [(level, text)] = self.lines(2 * DAY + NOON)
        self.assertEqual(level, "well")
        self.assertRegex(text, "A third party told the time of seal 2: <time ")

    def test_without_an_answer(self) -> None:
        self.stamped_log(1)
        self.work(1), self.work(2)
        for hours, expected in ((1, "well"), (3, "warning"), (47, "warning"), (49, "wrong")):
            [(level, text)] = self.lines(2 * DAY + timedelta(hours=hours))
            self.assertEqual(level, expected, hours)
            asked = "has been asked for a newer one since <time " in text
            self.assertEqual(asked, level != "well")

    def test_where_nobody_asks_for_one_nothing_is_said(self) -> None:
        self.stamped_log(1)
        with override_settings(AUDIT_TSA_URL=""):
            self.assertEqual(self.lines(9 * DAY), [])


class SettingsTests(SimpleTestCase):
    def found(self, **values: str) -> list[str]:
        with override_settings(**values):
            return [each.id for each in timestamp_settings()]

    def test_what_is_wrong_with_them(self) -> None:
        self.assertEqual(self.found(), [])
        file = {"AUDIT_TSA_CA": str(keys() / "ca.pem")}
        url = {"AUDIT_TSA_URL": "https://tsa.example.com/tsr"}
        pair = {"AUDIT_TSA_USER": "ada", "AUDIT_TSA_PASSWORD": "canary"}
        self.assertEqual(self.found(**file, **url, **pair, AUDIT_TSA_SINCE="2026-11-29"), [])
        self.assertEqual(self.found(**url), ["hubadmin.E062"])
        self.assertEqual(self.found(AUDIT_TSA_CA="/nowhere"), ["hubadmin.E062"])
        for odd in ("tsa.example.com", "https://ada:canary@tsa.example.com/", "https:///x"):
            self.assertEqual(self.found(**file, AUDIT_TSA_URL=odd), ["hubadmin.E060"])
        insecure = {"AUDIT_TSA_URL": "http://tsa.example.com/tsr"}
        self.assertEqual(self.found(**file, **insecure), [])
        self.assertEqual(self.found(**file, **insecure, **pair), ["hubadmin.E061"])
        self.assertEqual(self.found(**file, **url, AUDIT_TSA_USER="ada"), ["hubadmin.E061"])
        self.assertEqual(self.found(AUDIT_TSA_SINCE="last week"), ["hubadmin.E063"])
