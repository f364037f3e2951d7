"""From the outbox to receivers: at least once, with pauses, and nobody waits for another."""

import time
from datetime import timedelta
from unittest import mock

from django.db.models import Q
from django.test import TestCase, tag
from django.utils import timezone

from associations.models import Delivery, Notice, NoticeEvent
from associations.notices import outbox, webhooks
from associations.notices.outbox import Told
from associations.notices.sending import Sender
from associations.status.notices import notice_lines
from tests.associations.notices.base import Hooks, closed_port, told, wait_for

SEAL_LATE, RUN_ENDED = NoticeEvent.SEAL_LATE, NoticeEvent.RUN_ENDED
NUMBERS = {"run": 5, "pairs": 1, "achieved": 1, "failed": 0, "not_sent": 0}


def put(key: str = "seal_late/1", event: NoticeEvent = SEAL_LATE) -> Notice:
    outbox.put(Told(event, key, "/status/", NUMBERS))
    return Notice.objects.get(key=key)


class OutboxTests(TestCase):
    def test_each_receiver_that_wants_it_has_one_delivery_and_only_once(self) -> None:
        with told("a json x seal_late,run_ended; b json x run_ended; c json x"):
            put()
            put()
            outbox.put_new([Told(SEAL_LATE, "seal_late/1", "/"), Told(RUN_ENDED, "r/2", "/")])
        found = Delivery.objects.values_list("notice__key", "receiver")
        expected = [("seal_late/1", each) for each in "ac"] + [("r/2", each) for each in "abc"]
        self.assertCountEqual(found, expected)

    def test_a_notice_and_its_deliveries_come_together_or_not_at_all(self) -> None:
        broken = mock.patch.object(Delivery.objects, "bulk_create", side_effect=RuntimeError)
        with told("a json x"), broken, self.assertRaises(RuntimeError):
            put()
        self.assertFalse(Notice.objects.exists())

    def test_what_is_claimed_nobody_else_claims(self) -> None:
        with told("a json x"):
            put()
        self.assertEqual(len(outbox.claim("a")), 1)
        self.assertEqual(outbox.claim("a"), [])
        # Unless it was not heard of again.
        later = timezone.now() + outbox.CLAIMED_FOR
        with mock.patch.object(outbox.timezone, "now", return_value=later):
            self.assertEqual(len(outbox.claim("a")), 1)

    def test_a_clock_that_was_set_back_keeps_no_notice_back(self) -> None:
        ahead = timezone.now() + timedelta(hours=3)
        with told("a json x"), mock.patch.object(outbox.timezone, "now", return_value=ahead):
            put()
        self.assertEqual(len(outbox.claim("a")), 1)
        self.assertEqual(outbox.claim("a"), [])

    def test_of_two_that_saw_the_same_one_has_it(self) -> None:
        with told("a json x"):
            put()
        stale = Delivery.objects.get()
        self.assertEqual(len(outbox.claim("a")), 1)
        seen = mock.Mock()
        seen.select_related.return_value.order_by.return_value = [stale]
        real = Delivery.objects.filter

        def both(*which: Q, **by: object) -> object:
            return real(*which, **by) if "pk" in by else seen

        with mock.patch.object(Delivery.objects, "filter", side_effect=both):
            self.assertEqual(outbox.claim("a"), [])

    def test_pauses_grow(self) -> None:
        seconds = [outbox.pause_after(n).total_seconds() for n in range(1, 9)]
        self.assertEqual(seconds, [30, 120, 480, 1920, 7680, 21600, 21600, 21600])

    def test_after_three_days_it_is_given_up(self) -> None:
        with told("a json x"):
            put()
        (delivery,) = outbox.claim("a")
        outbox.note_failed(delivery, "timed_out")
        delivery.refresh_from_db()
        self.assertIsNotNone(delivery.next_at)
        Notice.objects.update(at=timezone.now() - outbox.GIVEN_UP_AFTER)
        delivery.notice.refresh_from_db()
        outbox.note_failed(delivery, "timed_out")
        delivery.refresh_from_db()
        self.assertIsNone(delivery.next_at)
        self.assertIsNotNone(delivery.given_up_at)
        self.assertEqual(delivery.attempts, 2)

    def test_what_was_sent_cannot_fail_any_more(self) -> None:
        with told("a json x"):
            put()
        (delivery,) = outbox.claim("a")
        outbox.note_sent(delivery)
        outbox.note_failed(delivery, "timed_out")
        delivery.refresh_from_db()
        self.assertEqual((delivery.error, delivery.next_at, delivery.attempts), ("", None, 1))

    def test_old_ones_are_cleared(self) -> None:
        with told("a json x"):
            put("old")
            Notice.objects.update(at=timezone.now() - outbox.KEPT - timedelta(minutes=1))
            put("new")
        outbox.clear(timezone.now())
        self.assertEqual(Delivery.objects.get().notice.key, "new")


class SenderTests(TestCase):
    def setUp(self) -> None:
        self.hooks = self.enterContext(Hooks())
        self.sender = Sender()

    def send(self) -> None:
        """Until nothing is under way."""
        self.sender.tick()
        wait_for(lambda: self.sender.tick() or not self.sender.is_busy)
        self.sender.tick()

    def deliveries(self) -> dict[str, Delivery]:
        return {each.receiver: each for each in Delivery.objects.all()}

    def test_each_mood(self) -> None:
        url = self.hooks.url
        lines = [f"{name} json {url}/{name}" for name in ("ok", "failing", "redirecting")]
        lines += [
            f"hanging_up json {url}/hanging_up",
            f"nobody json http://127.0.0.1:{closed_port()}",
        ]
        with told("\n".join(lines)):
            put()
            self.send()
        found = {name: each.error for name, each in self.deliveries().items()}
        expected = {"ok": "", "failing": "answered_500", "redirecting": "redirected"}
        expected |= {"hanging_up": "no_connection", "nobody": "no_connection"}
        self.assertEqual(found, expected)
        ok = self.deliveries()["ok"]
        self.assertIsNotNone(ok.sent_at)
        self.assertIsNone(ok.next_at)
        for name in expected.keys() - {"ok"}:
            each = self.deliveries()[name]
            pause = (each.next_at - timezone.now()).total_seconds()
            self.assertTrue(20 < pause <= 30, name)
            self.assertEqual(each.attempts, 1)

    def test_it_comes_again_until_it_is_taken(self) -> None:
        with told(f"a json {self.hooks.url}/failing"):
            put()
            self.send()
            self.send()
            self.assertEqual(len(self.hooks.posts), 1, "not before its pause is over")
            Delivery.objects.update(next_at=timezone.now())
            with told(f"a json {self.hooks.url}/ok"):
                self.send()
        self.assertEqual(self.hooks.paths(), ["/failing", "/ok"])
        one, other = (each.json for each in self.hooks.posts)
        self.assertEqual(one["id"], other["id"])
        delivery = Delivery.objects.get()
        self.assertEqual((delivery.attempts, delivery.error), (2, ""))

    @tag("long")
    def test_a_slow_one_keeps_no_other_waiting(self) -> None:
        with (
            told(f"slow json {self.hooks.url}/slow; b json {self.hooks.url}/ok"),
            mock.patch.object(webhooks, "TOTAL_SECONDS", 3.0),
        ):
            put("n/0")
            start = time.monotonic()
            for number in range(1, 6):
                self.sender.tick()
                wait_for(lambda: self.sender.tick() or "/ok" in self.hooks.paths())
                put(f"n/{number}")
            wait_for(lambda: self.sender.tick() or self.hooks.paths().count("/ok") == 6)
            self.assertLess(time.monotonic() - start, 2.5)
            self.assertTrue(self.sender.is_busy)
            start = time.monotonic()
            self.sender.tick()
            self.assertLess(time.monotonic() - start, 0.5, "a pass waits for nobody")
            self.assertEqual(self.hooks.paths().count("/slow"), 1)
            slow = Delivery.objects.filter(receiver="slow", error="timed_out")
            wait_for(lambda: self.sender.tick() or slow.exists())

    def test_one_that_is_never_taken_keeps_no_other_back(self) -> None:
        with told(f"a json {self.hooks.url}/failing"):
            put("bad")
            self.send()
            put("good")
            Delivery.objects.update(next_at=timezone.now())
        with told(f"a json {self.hooks.url}/ok"):
            first, second = (each.notice.key for each in outbox.claim("a"))
        self.assertEqual((first, second), ("good", "bad"))

    def test_log_lines_name_the_receiver_alone(self) -> None:
        with (
            told(f"good json {self.hooks.url}/ok/canary; bad json {self.hooks.url}/gone/canary"),
            self.assertLogs("associations.notices", "INFO") as logs,
        ):
            put()
            self.send()
        lines = {each.receiver: (each.getMessage(), vars(each)) for each in logs.records}
        self.assertEqual(lines["good"][0], "a notice was delivered")
        self.assertEqual(lines["bad"][1]["why"], "answered_404")
        self.assertNotIn("canary", str(lines))


class StatusTests(TestCase):
    def lines(self, text: str) -> list[tuple[str, str, str]]:
        with told(text):
            return [(str(each.level), each.text, each.advice) for each in notice_lines()]

    def test_no_receiver(self) -> None:
        ((level, text, advice),) = self.lines("")
        self.assertEqual(level, "well")
        self.assertIn("Nobody is told", text)
        self.assertIn("<code>NOTICE_RECEIVERS</code>", advice)

    def test_what_was_delivered_what_waits_and_what_was_given_up(self) -> None:
        receivers = "a json x; b json x"
        ((level, text, _), _) = self.lines(receivers)
        self.assertEqual((level, text), ("well", "Notices for a: none was to be sent yet."))
        with told(receivers):
            put("1")
        self.assertIn(
            "Notices for a: none was delivered yet. 1 waits.", self.lines(receivers)[0][1]
        )
        outbox.note_sent(outbox.claim("a")[0])
        outbox.note_failed(outbox.claim("b")[0], "answered_503")
        (a, b) = self.lines(receivers)
        self.assertEqual(a[0], "well")
        self.assertRegex(a[1], r"(?s)Notices for a: last delivered <time.*</time>\.$")
        self.assertEqual(b[0], "warning")
        self.assertIn("HTTP 503", b[2])
        self.assertIn("send_notices --test b", b[2])
        Delivery.objects.filter(receiver="b").update(next_at=None, given_up_at=timezone.now())
        b = self.lines(receivers)[1]
        self.assertEqual(b[0], "wrong")
        self.assertIn("1 was given up after three days.", b[1])
        with told(receivers):
            put("2")
        outbox.note_sent(outbox.claim("b")[0])
        self.assertEqual(self.lines(receivers)[1][0], "well")

    def test_one_query_however_many_there_are(self) -> None:
        with self.assertNumQueries(1):
            self.lines("; ".join(f"r{n} json x" for n in range(9)))
