from itertools import pairwise
from unittest.mock import patch

from associations.bulk import enqueueing, services
from associations.bulk.leases import claim
from associations.models import BulkRun, RunState, SendMode
from tests.associations.bulk.engine import FIRST_COMPANY, FIRST_CONTACT, EngineTestCase, row


@patch.object(enqueueing, "ROWS_AT_ONCE", 3)
@patch.dict(enqueueing.CHUNK_ROWS, {SendMode.BATCH: 4})
class QueueingTests(EngineTestCase):
    def queue(self, run: BulkRun, times: int) -> list[bool]:
        """As often as that, by one worker after the other, each of which dies."""
        found = []
        for _ in range(times):
            BulkRun.objects.filter(pk=run.pk).update(owner="", lease_until=None)
            found.append(enqueueing.queue_rows(claim(BulkRun.objects.filter(pk=run.pk))))
        return found

    def test_it_goes_on_where_it_was_interrupted(self) -> None:
        others = [f"Company,{FIRST_COMPANY + n},Contact,{FIRST_CONTACT + n}" for n in range(3)]
        run = self.started(*map(row, range(4)), *others, *map(row, range(4, 8)))
        self.assertEqual(self.queue(run, 6), [True] * 4 + [False] * 2)
        run.refresh_from_db()
        numbers = run.entries.order_by("pk").values_list("row_number", flat=True)
        self.assertEqual(sorted(numbers), list(range(1, 12)))
        self.assertEqual(run.queued, 11)
        self.assert_chunks_hold_each_once(run)

    def assert_chunks_hold_each_once(self, run: BulkRun) -> None:
        chunks = list(run.chunks.order_by("first_id"))
        self.assertTrue(all(one.last_id < next_.first_id for one, next_ in pairwise(chunks)))
        for chunk in chunks:
            entries = run.entries.filter(pk__range=(chunk.first_id, chunk.last_id))
            self.assertEqual(entries.count(), chunk.rows)
            self.assertLessEqual(chunk.rows, 4)
            self.assertEqual(entries.values("from_object_type").distinct().count(), 1)
        self.assertEqual(sum(chunk.rows for chunk in chunks), run.entries.count())

    def test_a_run_that_is_canceled_meanwhile_queues_no_more(self) -> None:
        run = self.started(*map(row, range(8)))
        self.queue(run, 1)
        services.cancel(user=self.user, run=run)
        self.assertEqual(self.queue(run, 1), [False])
        run.refresh_from_db()
        self.finish(run)
        self.assertEqual(self.outcomes(run), [("canceled", "not_sent")] * 3)
        self.assertEqual(run.state, RunState.CANCELED)

    def test_what_is_linked_already_may_be_left_out(self) -> None:
        run = self.started(*map(row, range(3)))
        run.rows.filter(number=2).update(was_linked=True)
        BulkRun.objects.update(skip_linked=True)
        self.finish(BulkRun.objects.get(pk=run.pk))
        numbers = run.entries.order_by("pk").values_list("row_number", flat=True)
        self.assertEqual(list(numbers), [1, 3])
