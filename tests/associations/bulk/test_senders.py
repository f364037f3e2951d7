from associations.audit import recorder
from associations.audit.entry_details import directions
from associations.bulk import services
from associations.bulk.exports import result_lines
from associations.models import BulkRun, CallPause, RunState, SendMode
from tests.associations.bulk.engine import NO_CONTACT, EngineTestCase, row

CONFIRMED = ("linked", "confirmed")
BATCH = {"method": "POST", "path": "batch/associate"}
MISSING = ("rejected", "record_not_found")


def answer_of(*pairs: tuple[int, int], **more: object) -> dict[str, object]:
    results = [{"from": {"id": str(a)}, "to": {"id": str(b)}} for a, b in pairs]
    return {"status": "COMPLETE", "results": results} | more


class BatchTests(EngineTestCase):
    def test_an_answer_that_proves_all_closes_all(self) -> None:
        run = self.finish(self.queued(*map(row, range(12))))
        self.assertEqual(self.outcomes(run), [CONFIRMED] * 12)
        batch = run.batches.get()
        self.assertEqual((batch.inputs, batch.http_status), (12, 200))
        self.assertEqual(self.calls("PUT"), 0)

    def test_bad_rows_cost_no_good_one(self) -> None:
        lines = [row(n, NO_CONTACT if n in (3, 17) else None) for n in range(20)]
        run = self.finish(self.queued(*lines))
        expected = [MISSING if n in (3, 17) else CONFIRMED for n in range(20)]
        self.assertEqual(self.outcomes(run), expected)
        # HubSpot named them: they went out alone, and the rest as one batch again.
        self.assertEqual((self.calls("POST"), self.calls("PUT")), (2, 2))

    def test_rows_that_hubspot_does_not_name_are_found_by_halves(self) -> None:
        lines = [row(n, NO_CONTACT if n == 3 else None) for n in range(20)]
        run = self.queued(*lines)
        self.fault(**BATCH, status=400, body={"message": "One is not valid."}, times=2)
        self.finish(run)
        self.assertEqual(self.outcomes(run), [MISSING if n == 3 else CONFIRMED for n in range(20)])
        self.assertGreater(run.chunks.count(), 1)

    def test_a_name_that_means_no_bad_row_costs_nothing_but_calls(self) -> None:
        run = self.queued(*map(row, range(12)))
        body = {"message": "no", "context": {"objectId": ["1000003", "77"]}}
        self.fault(**BATCH, status=400, body=body)
        self.finish(run)
        self.assertEqual(self.outcomes(run), [CONFIRMED] * 12)
        self.assertEqual((self.calls("POST"), self.calls("PUT")), (2, 1))

    def test_what_proves_not_every_row_closes_none_by_itself(self) -> None:
        for number, answer in enumerate(
            (
                {"partial": True},
                {"status": 200, "body": answer_of((1_000_001, 2_000_001))},
                {"status": 200, "body": answer_of((5, 6), (7, 8))},
                {"status": 207, "body": {"status": "COMPLETE", "numErrors": 1, "errors": [{}]}},
                {"status": 200, "body": "<html>", "content_type": "text/html"},
                {"truncate": 80},
                {"reset": "before"},
                {"reset": "after"},
                {"status": 502},
                {"status": 500},
                {"status": 423},
                {"status": 429, "headers": {"Retry-After": "1"}},
                {"status": 477, "headers": {"Retry-After": "1"}},
            )
        ):
            with self.subTest(**answer):
                self.sandbox.faults.clear()
                lines = [row(n + 20 * number) for n in range(9)]
                run = self.queued(row(19 + 20 * number, NO_CONTACT), *lines)
                self.fault(**BATCH, **answer)
                self.finish(run)
                self.assertEqual(self.outcomes(run), [MISSING, *[CONFIRMED] * 9])

    def test_while_a_gateway_answers_it_waits_and_splits_nothing(self) -> None:
        for number, status in enumerate((521, 530, 500)):
            with self.subTest(status):
                self.sandbox.reset()
                run = self.queued(*(row(n + 20 * number) for n in range(20)))
                page = {"body": "<html>", "content_type": "text/html"}
                self.fault(**BATCH, status=status, **page, times=2)
                for _ in range(2):
                    self.step(run)
                    pause = CallPause.objects.get()
                    self.assertEqual((pause.cause, pause.silent_since is None),
                                     ("hubspot_down", False))  # fmt: skip
                self.finish(run)
                self.assertEqual(self.outcomes(run), [CONFIRMED] * 20)
                self.assertEqual((self.calls("POST"), self.calls("PUT")), (3, 0))
                self.assertEqual(run.chunks.count(), 1)

    def test_a_batch_with_a_locked_record_is_split(self) -> None:
        run = self.queued(*map(row, range(9)))
        self.fault(**BATCH, status=423, times=None)
        self.finish(run)
        self.assertEqual(self.outcomes(run), [CONFIRMED] * 9)

    def test_pairs_that_mirror_each_other_are_proven_apart(self) -> None:
        lines = ["Contact,501,Company,502", "Contact,502,Company,501"]
        run = self.queued(*map(row, range(9)), *lines)
        body = answer_of((501, 502), *((1_000_001 + n, 2_000_001 + n) for n in range(9)))
        self.fault(**BATCH, status=200, apply=False, body=body)
        self.finish(run)
        self.assertEqual(self.outcomes(run)[10], MISSING)

    def test_it_stops_for_what_an_admin_has_to_mend(self) -> None:
        for status, cause in ((401, "token_refused"), (302, "redirected")):
            with self.subTest(status):
                run = self.queued(*map(row, range(9)))
                self.fault(**BATCH, status=status, headers={"Location": "/elsewhere"})
                self.step(run)
                self.assertEqual((run.state, run.stop_cause), (RunState.PAUSED, cause))
                self.assertEqual(self.outcomes(run), [("queued", "")] * 9)
                services.resume(user=self.user, run=run)
                self.finish(run)
                self.assertEqual(run.linked, 9)


class MergedTests(EngineTestCase):
    """HubSpot's answer may name a merged record by the id that it was merged into."""

    def merged(self, run: BulkRun) -> list[tuple[str, str]]:
        rows = run.entries.order_by("row_number")
        return list(rows.values_list("from_merged_into", "to_merged_into"))

    def merge(self, number: int, into: str) -> None:
        self.sandbox.merge("contacts", str(1_000_001 + number), into)

    def test_a_batch_is_proven_by_what_hubspot_calls_the_records(self) -> None:
        self.merge(3, "88")
        self.merge(4, "1000006")  # another row's
        self.sandbox.merge("companies", "2000008", "99")
        run = self.finish(self.queued(*map(row, range(12))))
        self.assertEqual(self.outcomes(run), [CONFIRMED] * 12)
        expected = {3: ("88", ""), 4: ("1000006", ""), 7: ("", "99")}
        self.assertEqual(self.merged(run), [expected.get(n, ("", "")) for n in range(12)])
        self.assertEqual((run.batches.count(), self.calls("PUT")), (1, 0))

    def test_one_that_names_them_as_asked_costs_nothing_more(self) -> None:
        self.merge(3, "88")
        self.sandbox.names_as_asked = True
        run = self.finish(self.queued(*map(row, range(12))))
        self.assertEqual(self.outcomes(run), [CONFIRMED] * 12)
        self.assertEqual(self.calls("POST"), 1)

    def test_the_page_of_such_a_row_shows_its_part_of_the_answer(self) -> None:
        self.merge(3, "88")
        run = self.finish(self.queued(*map(row, range(12))))
        entry = run.entries.select_related("batch").get(row_number=4)
        shown = {(each.from_record, each.to_record) for each in directions(entry)}
        self.assertIn(("Contact 88", "Company 2000004"), shown)

    def test_and_its_line_of_the_results_says_so(self) -> None:
        self.merge(3, "88")
        run = self.finish(self.queued(*map(row, range(12))))
        lines = b"".join(result_lines(run)).decode().splitlines()
        self.assertIn("Contact 1000004 was merged into 88.", lines[4])

    def test_pairs_that_mirror_each_other_since_are_proven_apart(self) -> None:
        for type_name, old, new in (
            ("contacts", "501", "700"),
            ("companies", "901", "800"),
            ("contacts", "502", "800"),
            ("companies", "902", "700"),
        ):
            self.sandbox.merge(type_name, old, new)
        mirrored = ("Contact,501,Company,901", "Contact,502,Company,902")
        run = self.queued(*mirrored, *map(row, range(9)))
        shown = answer_of((700, 800), *((1_000_001 + n, 2_000_001 + n) for n in range(9)))
        self.fault(**BATCH, status=200, body=shown)
        self.step(run)
        self.assertEqual(set(self.outcomes(run)), {("queued", "")})
        self.finish(run)
        self.assertEqual(self.outcomes(run), [CONFIRMED] * 11)

    def test_single_calls(self) -> None:
        self.merge(1, "88")
        run = self.finish(self.queued(*map(row, range(3)), way=SendMode.SINGLE))
        self.assertEqual(self.outcomes(run), [CONFIRMED] * 3)
        self.assertEqual(self.merged(run)[1], ("88", ""))

    def test_ids_that_are_not_theirs_prove_nothing(self) -> None:
        run = self.queued(*map(row, range(9)))
        pairs = [(1_000_001 + n + (n == 4), 2_000_001 + n) for n in range(9)]
        self.fault(**BATCH, status=200, body=answer_of(*pairs), apply=False)
        self.step(run)
        self.assertNotIn(CONFIRMED, self.outcomes(run))
        self.finish(run)
        self.assertEqual(self.merged(run), [("", "")] * 9)

    def test_records_that_cannot_be_read_leave_it_to_single_calls_and_these_unconfirmed(
        self,
    ) -> None:
        self.merge(3, "88")
        run = self.queued(*map(row, range(12)))
        self.fault(method="POST", path="objects/.*/batch/read", status=503, times=None)
        self.finish(run)
        perhaps = ("unconfirmed", "not_shown")
        self.assertEqual(self.outcomes(run), [perhaps if n == 3 else CONFIRMED for n in range(12)])

    def test_two_that_are_one_record_are_told_by_themselves(self) -> None:
        for as_asked in (False, True):
            with self.subTest(as_asked=as_asked):
                self.sandbox.reset()
                self.sandbox.merge("contacts", "501", "502")
                self.sandbox.merge("contacts", "503", "9503")
                self.sandbox.names_as_asked = as_asked
                pairs = ("Contact,501,Contact,502", "Contact,503,Contact,504")
                run = self.finish(self.queued(*pairs, way=SendMode.SINGLE))
                expected = CONFIRMED if as_asked else ("rejected", "same_record")
                self.assertEqual(self.outcomes(run), [expected, CONFIRMED])

    def test_and_spoil_no_batch(self) -> None:
        self.sandbox.merge("contacts", "501", "502")
        lines = [f"Contact,{504 + n},Contact,{1_000_001 + n}" for n in range(9)]
        run = self.finish(self.queued("Contact,501,Contact,502", *lines))
        self.assertEqual(self.outcomes(run), [("rejected", "same_record"), *[CONFIRMED] * 9])


class InterruptedTests(EngineTestCase):
    """A worker died while a call was out, which may have linked its rows."""

    def died(self, way: str, rows: int) -> BulkRun:
        run = self.queued(*map(row, range(rows)), way=way)
        recorder.mark_as_sending(run.entries.all())
        return run

    def test_the_rows_are_sent_again(self) -> None:
        for way, logged in ((SendMode.BATCH, "batches"), (SendMode.SINGLE, "attempts")):
            with self.subTest(way):
                run = self.finish(self.died(way, 9))
                self.assertEqual(self.outcomes(run), [CONFIRMED] * 9)
                self.assertEqual(self.failures(run, logged), ["interrupted", ""])

    def failures(self, run: BulkRun, logged: str) -> list[str]:
        rows = run.batches if logged == "batches" else run.entries.first().attempts
        return list(rows.order_by("pk").values_list("failure", flat=True))

    def test_a_no_that_settles_nothing_does_not_hide_it(self) -> None:
        run = self.died(SendMode.SINGLE, 2)
        self.fault(status=400, body={"message": "no"}, times=None)
        self.finish(run)
        self.assertEqual(self.outcomes(run), [("unreachable", "interrupted")] * 2)

    def test_neither_does_a_cancel_after_a_limit(self) -> None:
        for way, method in ((SendMode.BATCH, "POST"), (SendMode.SINGLE, "PUT")):
            with self.subTest(way):
                self.sandbox.faults.clear()
                run = self.died(way, 9)
                self.fault(method=method, status=429, headers={"Retry-After": "9"}, times=None)
                while run.entries.filter(outcome="sending").exists():
                    self.step(run)
                self.assertEqual(set(self.outcomes(run)), {("queued", "")})
                services.cancel(user=self.user, run=run)
                self.finish(run)
                unclear = ("unreachable", "interrupted")
                self.assertEqual(self.outcomes(run).count(unclear), 9)


class SingleTests(EngineTestCase):
    def test_each_row_ends_as_hubspot_says(self) -> None:
        run = self.finish(self.queued(row(1), row(2, NO_CONTACT), row(3), way=SendMode.SINGLE))
        self.assertEqual(self.outcomes(run), [CONFIRMED, MISSING, CONFIRMED])

    def test_what_says_nothing_of_a_row_has_it_sent_again(self) -> None:
        for number, answer in enumerate(
            (
                {"status": 200, "body": "<html>", "content_type": "text/html"},
                {"truncate": 40},
                {"reset": "before"},
                {"reset": "after"},
                {"status": 503},
                {"status": 522},
                {"status": 500},
                {"status": 500, "body": "<html>", "content_type": "text/html"},
                {"status": 423},
                {"status": 429},
                {"status": 202, "body": {"status": "PENDING"}},
            )
        ):
            with self.subTest(**answer):
                run = self.queued(row(number), row(number, NO_CONTACT), way=SendMode.SINGLE)
                self.fault(path=f"/{1_000_001 + number}/", **answer)
                self.finish(run)
                self.assertEqual(self.outcomes(run), [CONFIRMED, MISSING])

    def test_a_row_that_is_never_answered_is_given_up(self) -> None:
        run = self.queued(row(1), row(2), way=SendMode.SINGLE)
        self.fault(path="/1000002/", reset="before", times=None)
        self.finish(run)
        self.assertEqual(self.outcomes(run), [("unreachable", "connection_lost"), CONFIRMED])

    def test_even_if_it_is_all_that_is_left(self) -> None:
        run = self.queued(row(1), way=SendMode.SINGLE)
        self.fault(reset="before", times=None)
        self.finish(run)
        self.assertEqual(self.outcomes(run), [("unreachable", "connection_lost")])
        self.assertLess(self.calls("PUT"), 20)

    def test_none_is_given_up_while_hubspot_answers_nothing(self) -> None:
        run = self.queued(row(1), way=SendMode.SINGLE)
        self.fault(reset="before", times=None)
        self.fault(method="GET", reset="before", times=None)
        with self.assertRaises(AssertionError):
            self.finish(run, seconds=1.5)
        self.assertEqual(self.outcomes(run), [("queued", "")])
        self.sandbox.faults.clear()
        self.finish(run)
        self.assertEqual(self.outcomes(run), [CONFIRMED])
