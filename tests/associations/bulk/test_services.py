from collections.abc import Callable
from contextlib import nullcontext
from unittest.mock import patch

from associations.audit.recorder import RequestMeta
from associations.bulk import services
from associations.models import BulkRun, RunState, SendMode
from tests.associations.bulk.engine import EngineTestCase, row
from tests.associations.linking.base import entry_of


class RunsTests(EngineTestCase):
    def actions(self, run: BulkRun) -> dict[str, Callable[[], object]]:
        me = {"user": self.user, "run": run}
        return {
            "start": lambda: services.start(**me, way=SendMode.BATCH, skip_linked=False),
            "pause": lambda: services.pause(**me),
            "go on": lambda: services.resume(**me),
            "cancel": lambda: services.cancel(**me),
            "discard": lambda: services.discard(run=run),
            "retry": lambda: services.retry(user=self.user, meta=RequestMeta(), run=run),
        }

    def test_what_is_possible_in_which_state(self) -> None:
        possible = {
            RunState.READING: {"discard"},
            RunState.UNREADABLE: {"discard"},
            RunState.READY: {"start", "discard"},
            RunState.QUEUEING: {"cancel"},
            RunState.RUNNING: {"pause", "cancel"},
            RunState.PAUSED: {"go on", "cancel"},
            RunState.CANCELING: set(),
            RunState.CANCELED: {"retry"},
            RunState.DONE: {"retry"},
        }
        for state, allowed in possible.items():
            found = {name for name in self.actions(BulkRun()) if self.may(state, name)}
            self.assertEqual(found, allowed, state)

    def may(self, state: str, name: str) -> bool:
        run = self.uploaded(row(1))
        BulkRun.objects.filter(pk=run.pk).update(state=state, rejected=1, rows_read=1)
        run.refresh_from_db()
        if name == "retry":
            entry_of(self.user, run=run, row_number=1, outcome="rejected", cause="rate_limited")
        try:
            self.actions(run)[name]()
        except services.NotPossibleError:
            run.refresh_from_db()
            self.assertEqual(run.state, state)
            return False
        return True

    def test_what_has_nothing_to_send_cannot_be_started(self) -> None:
        for rows, skip, may in (
            ({"rows_read": 3, "rows_invalid": 3}, False, False),
            ({"rows_read": 3, "rows_linked": 3}, True, False),
            ({"rows_read": 3, "rows_linked": 3}, False, True),
            ({"rows_read": 3, "rows_linked": 2}, True, True),
        ):
            with self.subTest(rows, skip=skip):
                run = self.uploaded(row(1))
                BulkRun.objects.filter(pk=run.pk).update(state=RunState.READY, **rows)
                run.refresh_from_db()
                refused = nullcontext() if may else self.assertRaises(services.NotPossibleError)
                with refused:
                    services.start(user=self.user, run=run, way=SendMode.BATCH, skip_linked=skip)
                run.refresh_from_db()
                self.assertEqual(run.state, RunState.QUEUEING if may else RunState.READY)

    def test_who_did_what_is_noted(self) -> None:
        run = self.finish(self.queued(row(1)))
        whats = list(run.events.values_list("what", "user_name"))
        mine = self.user.name
        expected = [("run_uploaded", mine), ("run_started", mine), ("run_ended", "")]
        self.assertEqual(whats, expected)

    def test_a_file_in_parts_is_kept_whole_or_not_at_all(self) -> None:
        file = {"user": self.user, "meta": RequestMeta(), "name": "x.csv", "way": SendMode.BATCH}
        run = services.create(**file, parts=[b"ab", b"cd"])
        self.assertEqual((run.size, run.uploads.count()), (4, 2))
        count = BulkRun.objects.count()
        with patch.object(services, "BulkUpload", None), self.assertRaises(AttributeError):
            services.create(**file, parts=[b"ab"])
        self.assertEqual(BulkRun.objects.count(), count)
