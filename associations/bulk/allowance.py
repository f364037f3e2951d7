"""How much one person may have uploaded and not started: what is staged is kept for days."""

from typing import TYPE_CHECKING

from django.conf import settings
from django.contrib.auth import get_user_model
from django.db.models import Exists, OuterRef, Q

from associations.models import BulkRun, BulkUpload, RunState
from associations.models.readable import read_rows, readable_only

if TYPE_CHECKING:
    from hubadmin.models import User

RUNS = 20
FULL_RUNS = 5  # of as many rows as a file may have
_BYTES_A_ROW = 50  # about; of a file that is not read yet nobody knows how many rows it has


class UsedUpError(Exception):
    """This person has to start or discard something first."""


def demand(user: "User") -> None:
    """Raise UsedUpError if this person may upload nothing more.

    Part of a transaction, in which nobody else can upload for the person any more.
    """
    get_user_model().objects.select_for_update(no_key=True).get(pk=user.pk)
    waiting = runs_waiting(user)
    if len(waiting) >= RUNS or sum(map(_rows, waiting)) >= FULL_RUNS * settings.BULK_MAX_ROWS:
        raise UsedUpError


def runs_waiting(user: "User") -> list[BulkRun]:
    """Return what is being read, or waits for a start or for its columns: the oldest first."""
    is_begun = Q(state__in=(RunState.READING, RunState.READY))
    is_kept = Exists(BulkUpload.objects.filter(run=OuterRef("pk")))
    waiting = BulkRun.objects.filter(is_begun | Q(state=RunState.UNREADABLE) & is_kept, user=user)
    return readable_only(read_rows(waiting.order_by("pk")))


def _rows(run: BulkRun) -> int:
    """Those that are staged, and what its file has room for, which is kept as long."""
    return max(run.rows_read, min(run.size // _BYTES_A_ROW, settings.BULK_MAX_ROWS))
