"""One claimed chunk of a run goes to HubSpot: log → call → log.

No transaction stays open around a call. A row is marked as under way once its call has a slot of
the limiter, and closed only by an answer about that row.
"""

from associations.audit import recorder as closing
from associations.bulk.batch_sender import send_batch
from associations.bulk.leases import hold
from associations.bulk.single_sender import send_singly
from associations.models import BulkChunk, BulkRun, Way
from associations.persistence import persist


def send_chunk(run: BulkRun, chunk: BulkChunk, until: float) -> None:
    """Send what is open in a chunk: a batch, or single rows until the clock is `until`.

    `until` is on time.monotonic()'s clock. Raises LeaseLostError, StoppedError.
    """
    persist(lambda: _begin(chunk))
    if chunk.way == Way.BATCH:
        send_batch(run, chunk, until)
    else:
        send_singly(run, chunk, until)


def _begin(chunk: BulkChunk) -> None:
    hold(chunk)
    closing.note_interrupted(chunk)
