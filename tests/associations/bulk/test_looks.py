"""What a run is said to be, wherever it is shown: its state and its numbers decide together."""

import re
from datetime import timedelta
from html import unescape
from unittest import mock

from django.test import SimpleTestCase, override_settings
from django.utils import timezone, translation
from hypothesis import given
from hypothesis import strategies as st

from associations.bulk import backoff
from associations.bulk.labels import look_of
from associations.bulk.progress import progress_of
from associations.models import BulkRun, RunState, Worker
from tests.associations.bulk.test_run_views import RunTestCase
from tests.associations.linking.base import entry_of
from tests.generated import examples

DASH = "\N{EN DASH}"
# state, numbers → icon, tone, word
LOOKS: list[tuple[str, dict[str, int | str], tuple[str, str, str]]] = [
    ("done", {"queued": 3, "linked": 3, "rows_read": 3}, ("✓", "linked", "done")),
    (
        "done",
        {"queued": 3, "linked": 3, "rows_read": 5, "rows_double": 2},
        ("✓", "linked", "done, with rows left out"),
    ),
    (
        "done",
        {"queued": 3, "linked": 3, "rows_read": 9, "rows_linked": 6, "skip_linked": 1},
        ("✓", "linked", "done, with rows left out"),
    ),
    (
        "done",
        {"queued": 3, "linked": 3, "rows_read": 4, "rows_invalid": 1},
        ("◐", "unconfirmed", "partly done"),
    ),
    ("done", {"queued": 4, "linked": 2, "rejected": 2}, ("◐", "unconfirmed", "partly done")),
    ("done", {"queued": 90, "linked": 89, "unreachable": 1}, ("◐", "unconfirmed", "partly done")),
    ("done", {"queued": 4, "rejected": 4}, ("✕", "rejected", "done, nothing linked")),
    ("done", {"queued": 4, "unconfirmed": 4}, ("?", "unconfirmed", "done, nothing certain")),
    (
        "done",
        {"queued": 4, "rejected": 3, "unreachable": 1},
        ("?", "unconfirmed", "done, nothing certain"),
    ),
    ("done", {"rows_read": 3, "rows_invalid": 3}, (DASH, "unconfirmed", "done, nothing sent")),
    ("done", {}, (DASH, "", "done, nothing sent")),
    ("canceled", {"queued": 9, "canceled": 9, "rows_read": 9}, (DASH, "", "canceled")),
    ("canceled", {"rows_read": 2000}, (DASH, "", "canceled")),
    (
        "canceled",
        {"queued": 9, "canceled": 6, "linked": 3, "rows_read": 9},
        (DASH, "unconfirmed", "canceled, partly sent"),
    ),
    (
        "canceled",
        {"queued": 9, "rejected": 9, "rows_read": 9},
        (DASH, "unconfirmed", "canceled after all was sent"),
    ),
    (
        "canceled",
        {"queued": 9, "linked": 9, "rows_read": 9},
        (DASH, "", "canceled after all was sent"),
    ),
    ("ready", {"rows_read": 3}, ("◇", "", "ready to start")),
    ("ready", {"rows_read": 3, "rows_linked": 2}, ("◇", "", "ready to start")),
    ("ready", {"rows_read": 3, "approval": "asked"}, ("…", "unconfirmed", "waits for approval")),
    ("ready", {"rows_read": 3, "approval": "refused"}, ("✕", "rejected", "not approved")),
    ("ready", {"rows_read": 3, "approval": "expired"}, ("?", "unconfirmed", "approval expired")),
    ("ready", {"rows_read": 3, "approval": "void"}, ("?", "unconfirmed", "approval void")),
    (
        "ready",
        {"rows_read": 3, "rows_invalid": 3},
        (DASH, "unconfirmed", "nothing to send"),
    ),
    ("ready", {"rows_read": 3, "rows_linked": 3}, (DASH, "", "nothing to send")),
    (
        "ready",
        {"rows_read": 9, "rows_invalid": 1, "rows_double": 4, "rows_linked": 4},
        (DASH, "unconfirmed", "nothing to send"),
    ),
]
COUNTS = ("linked", "unconfirmed", "rejected", "unreachable", "canceled")
PLAIN = re.compile(r"class=\"(?:ended-run|outcome|notice) linked\"|✓</span> done<")


@override_settings(BULK_APPROVAL_ROWS=1)
class LookTests(SimpleTestCase):
    def test_by_the_numbers(self) -> None:
        for state, numbers, expected in LOOKS:
            with self.subTest(state, **numbers):
                look = look_of(BulkRun(state=state, **numbers))
                self.assertEqual((look.icon, look.tone, str(look.word)), expected)

    def test_in_japanese_each_has_a_word_and_a_sentence_of_its_own(self) -> None:
        texts: dict[str, set[str]] = {}
        for state, numbers, (*_, word) in LOOKS:
            with translation.override("ja"):
                look = look_of(BulkRun(state=state, **numbers))
                texts.setdefault(word, set()).add(f"{look.word} {look.said}")
        self.assertEqual({len(each) for each in texts.values()}, {1})
        shown = [text for (text,) in texts.values()]
        self.assertEqual(len({*shown}), len(texts))
        for text in shown:
            self.assertNotRegex(text, "[a-z]")

    @given(
        st.sampled_from([*RunState]),
        st.fixed_dictionaries({name: st.integers(0, 3) for name in COUNTS}),
        st.fixed_dictionaries({f"rows_{n}": st.integers(0, 2) for n in ("invalid", "double")}),
        st.integers(0, 2),
    )
    @examples(300)
    def test_only_what_is_all_linked_is_green(
        self, state: str, counts: dict[str, int], rows: dict[str, int], waiting: int
    ) -> None:
        queued = sum(counts.values())
        read = queued + sum(rows.values())
        run = BulkRun(state=state, queued=queued, rows_read=read, **counts, **rows)
        look = look_of(run)
        if look.tone == "linked" or look.icon == "✓":
            self.assertEqual((state, run.linked, run.rows_invalid), ("done", queued, 0))
            self.assertTrue(queued)
        if str(look.word) == "done":
            self.assertEqual(run.linked, read)


@override_settings(BULK_APPROVAL_ROWS=1)
class EverywhereTests(RunTestCase):
    """The list, the run's page and its title, the notice on every page, what is announced."""

    def places(self, run: BulkRun) -> dict[str, str]:
        address = f"{run.get_absolute_url()}progress/?state=something-else"
        places = {
            "list": self.client.get("/bulk/").content.decode(),
            "notice": self.client.get("/requests/").content.decode(),
            "live region": self.client.get(address, headers={"HX-Request": "1"}).content.decode(),
        }
        return places | {"page": self.client.get(run.get_absolute_url()).content.decode()}

    def main(self, markup: str) -> str:
        return markup.partition("<main")[2].partition("</main>")[0] or markup

    def test_an_ended_run(self) -> None:
        for state, numbers, (icon, tone, word) in LOOKS:
            if state == "ready":
                continue
            run = self.run_(state, started_at=timezone.now(), finished_at=timezone.now(), **numbers)
            for place, markup in self.places(run).items():
                with self.subTest(place, state=state, **numbers):
                    main = self.main(markup)
                    self.assertRegex(main, rf'class="(ended-run|outcome) {tone}"')
                    self.assertIn(icon, main)
                    self.assertIn(word, main)
                    if tone != "linked":
                        plain = PLAIN.search(main)
                        self.assertFalse(plain and plain[0])
                    if place in ("page", "live region"):
                        title = markup.partition("<title>")[2].partition("</title>")[0]
                        self.assertIn(f"({word})", unescape(title))
            run.delete()

    def test_what_was_left_out_is_counted_in_the_list_and_the_notice(self) -> None:
        numbers = {"rows_read": 9, "rows_invalid": 2, "rows_double": 1, "queued": 6, "linked": 6}
        run = self.run_("done", started_at=timezone.now(), **numbers)
        for place in ("list", "notice"):
            self.assertIn("6 linked, 3 left out.", " ".join(self.places(run)[place].split()))
            BulkRun.objects.update(told_at=None)

    def test_nothing_to_send_is_nothing_to_start(self) -> None:
        for numbers, words in (
            ({"rows_read": 3, "rows_invalid": 3}, "None of the rows can be sent"),
            ({"rows_read": 8, "rows_invalid": 4, "rows_linked": 4}, "are linked already, so"),
            ({"rows_read": 5, "rows_double": 1, "rows_linked": 4}, "are linked already, so"),
        ):
            with self.subTest(numbers):
                run = self.run_("ready", rows_looked_up=4, **numbers)
                for place, markup in self.places(run).items():
                    for claim in ("ready to start", "can be started", "Start: link", "start/"):
                        self.assertNotIn(claim, self.main(markup), place)
                self.assertContains(self.page(run), words)
                self.assertContains(self.page(run), "nothing to start")
                tone = look_of(run).tone
                self.assertContains(self.page(run), f'<div class="notice {tone}">')
                for skip in ({}, {"skip_linked": "on"}):
                    if "rows_linked" in numbers and not skip:
                        continue
                    self.post(run, "start", way="batch", **skip)
                    run.refresh_from_db()
                    self.assertEqual((run.state, run.started_at), ("ready", None))
                run.delete()

    def test_an_announcement_of_a_run_that_can_be_started(self) -> None:
        run = self.run_("ready", rows_read=3)
        self.assertIn("The run can be started.", self.places(run)["live region"])


class WaitingTests(RunTestCase):
    def shown(self, run: BulkRun) -> str:
        address = f"{run.get_absolute_url()}progress/?state={run.state}"
        part = self.client.get(address, headers={"HX-Request": "true"})
        self.assertNotIn("HX-Retarget", part.headers)  # whoever is about to press a button
        return part.content.decode()

    def test_one_that_stands_still_is_not_said_to_run_and_has_no_end_in_sight(self) -> None:
        ago = timezone.now() - timedelta(seconds=30)
        run = self.run_("running", queued=4880, linked=1200, started_at=ago)

        def pages() -> tuple[str, str]:
            return self.page(run).content.decode(), self.shown(run)

        for markup in pages():
            self.assertIn("running", markup)
            self.assertIn("a second, about", markup)
        for cause in ("daily_limit", "timed_out", "migrating"):
            with self.subTest(cause):
                backoff.pause_calls(cause, timezone.now() + timedelta(minutes=9))
                for markup in (*pages(), self.client.get("/bulk/").content.decode()):
                    self.assertIn("waiting", markup)
                    self.assertNotIn("</span> running", markup)
                    self.assertNotIn("a second", markup)
                self.assertIsNone(progress_of(run).seconds_left)
        self.assertIn("(waiting)", pages()[0])
        self.assertIn("(waiting)", pages()[1])

    def test_without_a_worker_none_of_them_is_under_way(self) -> None:
        Worker.objects.all().delete()
        for state in ("reading", "queueing", "running", "canceling"):
            run = self.run_(state, queued=9)
            self.assertIn("</span> waiting", self.page(run).content.decode())
            self.assertNotIn("resumes", self.page(run).content.decode())
            self.assertIn("</span> waiting", self.client.get("/bulk/").content.decode())
            run.delete()

    def test_a_paused_run_says_what_still_comes(self) -> None:
        run = self.run_("paused", queued=9, linked=3)
        page = self.page(run)
        self.assertContains(page, "Nothing more is sent until somebody resumes it")
        self.assertContains(page, "what was under way still comes to its end")
        self.assertContains(page, "(paused)")

    def test_whose_limit_it_waits_for(self) -> None:
        run = self.run_("running", queued=9)
        with mock.patch("associations.gateway.rate_limiter.bulk_wait", lambda: 7.0):
            page = self.page(run)
        self.assertContains(page, "All calls that this site allows itself")
        self.assertNotContains(page, "HubSpot takes no more calls")


class NumberTests(RunTestCase):
    def test_not_all_of_it_while_rows_are_in_doubt(self) -> None:
        for doubt in ("unconfirmed", "unreachable"):
            run = self.run_("running", queued=100, linked=97, **{doubt: 3})
            self.assertEqual(progress_of(run).percent, 99)
            self.assertNotContains(self.page(run), "100 %")

    def test_the_bar_of_an_ended_run_says_how_much_is_linked(self) -> None:
        run = self.run_("done", queued=100, linked=40, rejected=57, unconfirmed=3)
        page = self.page(run)
        self.assertContains(page, 'aria-label="40 of 100 pairs are linked"')
        self.assertNotContains(page, "100 %")

    def test_nothing_of_nothing(self) -> None:
        now = timezone.now()
        for state, numbers in (
            ("queueing", {"rows_read": 7}),
            ("canceling", {"rows_read": 7}),
            ("done", {}),
            ("canceled", {"rows_read": 7}),
        ):
            with self.subTest(state):
                run = self.run_(state, started_at=now, **numbers)
                for page in (self.page(run), self.client.get("/bulk/")):
                    self.assertNotContains(page, "0 of 0")
                run.delete()

    def test_rows_that_a_canceled_run_never_queued_were_not_sent_either(self) -> None:
        now = timezone.now()
        run = self.run_(
            "canceled", rows_read=2000, queued=500, canceled=500, started_at=now, finished_at=now
        )
        self.assertContains(self.page(run), "0 of 2,000 pairs are linked. 2,000 were canceled.")
        run.delete()
        numbers = {"rows_read": 90, "rows_linked": 20, "skip_linked": True, "queued": 40}
        run = self.run_("canceled", canceled=40, started_at=now, finished_at=now, **numbers)
        self.assertContains(self.page(run), "0 of 70 pairs are linked. 70 were canceled.")

    def test_rows_with_a_problem_are_at_hand_when_it_has_ended(self) -> None:
        run = self.run_("done", rows_read=5, rows_invalid=2, queued=3, linked=3)
        link = f"{run.get_absolute_url()}bad-rows.csv"
        self.assertContains(self.page(run), "2 rows were left out, as they have a problem.")
        self.assertNotContains(self.page(run), link)  # they are not kept for ever
        run.rows.create(number=1, line=2, state="invalid", problem="required")
        self.assertContains(self.page(run), link)


class LookedUpTests(RunTestCase):
    def ready(self, **numbers: object) -> str:
        return " ".join(
            self.page(self.run_("ready", read_at=timezone.now(), **numbers))
            .content.decode()
            .split()
        )

    def test_none_could_be(self) -> None:
        text = self.ready(rows_read=8, lookup_cause="scope_missing")
        self.assertIn("Of 8 pairs it could not be looked up whether they are linked", text)
        self.assertIn("access token may not read the records.", text)
        self.assertNotIn("<dt>Linked already", text)

    def test_some_could_not_be(self) -> None:
        text = self.ready(rows_read=8, rows_looked_up=5, rows_linked=2, lookup_cause="timed_out")
        self.assertIn("Of 3 pairs it could not be looked up", text)
        self.assertIn("is as HubSpot showed it until <time", text)
        self.assertIn("HubSpot did not answer in time.", text)
        self.assertIn("<dt>Linked already</dt><dd>2", text)

    def test_of_some_hubspot_did_not_tell(self) -> None:
        text = self.ready(rows_read=8, rows_looked_up=7, rows_linked=2)
        self.assertIn("Of 1 pair HubSpot did not tell whether it is linked", text)
        self.assertIn("<dt>Linked already</dt><dd>2", text)

    def test_nobody_looked(self) -> None:
        text = self.ready(rows_read=8)
        self.assertIn("Nobody has looked which pairs are linked already.", text)
        self.assertNotIn("<dt>Linked already", text)

    def test_all_were(self) -> None:
        text = self.ready(rows_read=8, rows_looked_up=8, rows_linked=2)
        self.assertNotIn("looked up", text)
        self.assertNotIn("has looked", text)


class RetryTests(RunTestCase):
    def test_not_twice_at_once(self) -> None:
        run = self.run_("done", queued=2, rejected=2)
        entry_of(self.user, run=run, row_number=1, outcome="rejected", cause="rate_limited")
        for state in RunState:
            retry = self.run_(state, retry_of=run, queued=2, linked=2)
            is_over = state in ("done", "canceled", "unreadable")
            with self.subTest(state):
                button = f"{run.get_absolute_url()}retry/"
                self.assertEqual(button in self.page(run).content.decode(), is_over)
                before = BulkRun.objects.count()
                self.post(run, "retry")
                self.assertEqual(BulkRun.objects.count() > before, is_over)
            run.retries.all().delete()
            self.assertFalse(BulkRun.objects.filter(pk=retry.pk).exists())

    def test_the_looks_are_those_of_any_run(self) -> None:
        first = self.run_("done", queued=2, rejected=2)
        retry = self.run_("done", retry_of=first, queued=2, linked=1, rejected=1, rows_read=2)
        entry_of(self.user, run=retry, row_number=1)
        self.assertContains(self.page(retry), "partly done")


class StopTests(RunTestCase):
    def test_why_it_paused_is_told_as_what_was(self) -> None:
        """It may have been repaired since, and the page would not know."""
        for cause, words in {
            "token_refused": "HubSpot did not accept this site's access token.",
            "scope_missing": "This site's access token did not have the scopes",
            "redirected": "The configured address of HubSpot's API was wrong.",
            "forbidden": "forbidden.",
            "a_later_one": "a_later_one.",
        }.items():
            run = self.run_("paused", stop_cause=cause, queued=9)
            self.assertIn(words, unescape(self.page(run).content.decode()))
