"""Runs of random logs: queued, sent by batch and one by one, put back and canceled."""

import json
import random
from inspect import signature
from typing import Any

from django.db import transaction
from django.utils import timezone

from associations.audit import recorder
from associations.hubspot.answers import Answer, Attempt
from associations.hubspot.outcomes import Cause
from associations.models import AssociationRequest, BulkChunk, BulkRow, BulkRun
from tests.faults.log.making import TYPES, Clock, Maker


class RunMaker(Maker):
    """One whose logs have runs as well."""

    def __init__(self, chance: random.Random, clock: Clock) -> None:
        super().__init__(chance, clock)
        self.chunks: list[BulkChunk] = []
        self.steps += [self.begin_run, self.send, self.send, self.send]

    def begin_run(self) -> None:
        """Its rows become entries at once, and wait for as long as it takes."""
        user, types = self.person(), self.chance.choice(TYPES)
        way, rows = self.chance.choice(["batch", "single"]), self.chance.randint(2, 9)
        run = BulkRun.objects.create(
            user=user,
            user_name=user.name,
            name="pairs.csv",
            reason="SUP-9",
            way=way,
            state="running",
            created_at=timezone.now(),
            queued=rows,
        )
        BulkRow.objects.bulk_create(
            BulkRow(
                run=run,
                number=number,
                line=number + 1,
                from_object_type=types[0],
                from_object_id=str(1_000 + number),
                to_object_type=types[1],
                to_object_id=str(2_000 + number),
                state="ready",
            )
            for number in range(1, rows + 1)
        )
        with transaction.atomic():
            recorder.queue_entries(run, run.rows.all())
        ids = sorted(run.entries.values_list("pk", flat=True))
        self.chunks.append(
            BulkChunk.objects.create(
                run=run, first_id=ids[0], last_id=ids[-1], rows=rows, way=way, owner="w"
            )
        )

    def send(self) -> None:
        """A part of a chunk goes out, and ends in one of the ways it can."""
        chunk = self.any(self.chunks)
        waiting = list(chunk.open_entries.order_by("pk")) if chunk else []
        if not chunk or not waiting:
            return
        part = waiting[: self.chance.randint(1, len(waiting))]
        with transaction.atomic():
            recorder.mark_as_sending(chunk.open_entries.filter(pk__in=[e.pk for e in part]))
        self.wait()
        with transaction.atomic():
            if self.chance.random() < 0.2:
                self.chance.choice([recorder.cancel_unsent, recorder.requeue_interrupted])(chunk)
            elif chunk.way == "batch":
                self.send_batch(chunk, part)
            else:
                self.send_single(chunk, part)

    def send_batch(self, chunk: BulkChunk, part: list[AssociationRequest]) -> None:
        types = part[0].from_object_type, part[0].to_object_type
        body = json.dumps(self.complete(part))
        attempt, answer = Attempt(timezone.now(), 210, 200, {}, body), Answer(Cause.CONFIRMED, 200)
        if in_doubt := self.chance.random() < 0.3:
            attempt = Attempt(timezone.now(), 9_000, failure=Cause.TIMED_OUT)
            answer = Answer(Cause.TIMED_OUT)
        batch = recorder.record_batch(chunk, attempt, answer, types, len(part))
        if in_doubt:
            recorder.requeue(chunk.entries.filter(outcome="sending"), batch)
        else:
            ids = part[0].pk, part[-1].pk
            recorder.close_entries_by_batch(chunk, ids, batch, answer, **self.merged(part))

    def merged(self, part: list[AssociationRequest]) -> dict[str, Any]:
        """What is told of records that were merged, to a release that asks for it."""
        if "merged" not in signature(recorder.close_entries_by_batch).parameters:
            return {}
        into = {part[0].pk: {"from_merged_into": "99902"}}
        return {"merged": into if self.chance.random() < 0.3 else {}}

    def send_single(self, chunk: BulkChunk, part: list[AssociationRequest]) -> None:
        tried = [(entry, self.attempt(entry)) for entry in part]
        recorder.record_attempts(tried)
        if self.chance.random() < 0.3:
            recorder.requeue(chunk.entries.filter(outcome="sending"))
        else:
            answers = [(entry, self.answer(entry, attempt)) for entry, attempt in tried]
            recorder.close_entries(chunk.run_id, answers)
