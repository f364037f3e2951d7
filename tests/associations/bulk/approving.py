"""Runs that take somebody else's approval: more than three pairs within a day."""

from typing import Any

from django.test import override_settings
from django.utils import timezone

from associations.bulk import approval, services
from associations.bulk.errors import NotPossibleError
from associations.models import BulkRun, EventKind, RunState, SecurityEvent, SendMode
from hubadmin.models import User
from tests.associations.bulk.engine import row
from tests.associations.bulk.test_mapping import FileTestCase
from tests.support import SignedInClient, person

LIMIT = 3
CHOSEN = {"way": SendMode.BATCH, "skip_linked": False}
KNOWN = "contact id;company id;reason\n"


def lines_of(pairs: int, *, first: int = 0) -> str:
    """A file of so many pairs of records that exist."""
    numbers = [row(number).split(",") for number in range(first, first + pairs)]
    return KNOWN + "".join(f"{each[1]};{each[3]};SUP-1\n" for each in numbers)


@override_settings(BULK_APPROVAL_ROWS=LIMIT, BULK_APPROVAL_HOURS=24)
class ApprovalTestCase(FileTestCase):
    """`user` uploads, `admin` and `second` are admins; `author` is one who uploads as well."""

    def setUp(self) -> None:
        super().setUp()
        self.admin, self.second = person("admin"), person("second", "admin")
        self.author = person("author", "admin")

    def large(self, user: User | None = None, pairs: int = LIMIT + 1) -> BulkRun:
        return self.file(lines_of(pairs), user)

    def asked(self, user: User | None = None, pairs: int = LIMIT + 1, **chosen: Any) -> BulkRun:
        run = self.large(user, pairs)
        approval.ask(user=run.user, run=run, **CHOSEN | chosen)
        return run

    def request_of(self, run: BulkRun) -> int:
        """The request of the run that came last."""
        asked = run.events.filter(what=EventKind.RUN_APPROVAL_ASKED)
        return asked.order_by("pk").values_list("pk", flat=True).last() or 0

    def approve(self, run: BulkRun, user: User | None = None, asked: int = 0) -> None:
        asked = asked or self.request_of(run)
        services.approve(user=user or self.admin, run=run, asked=asked)

    def refused(self, action: Any, *args: Any, **kwargs: Any) -> None:
        """Whatever somebody does is not possible."""
        with self.assertRaises(NotPossibleError):
            action(*args, **kwargs)

    def post(self, run: BulkRun, action: str, user: User, **fields: object) -> str:
        """Do it as this person; return where that leads, or the status."""
        answer = SignedInClient(user).post(f"{run.get_absolute_url()}{action}/", fields)
        return answer.headers.get("Location", str(answer.status_code))

    def not_started(self, run: BulkRun) -> None:
        run = BulkRun.objects.get(pk=run.pk)
        self.assertIn(run.state, (RunState.READY, RunState.READING, RunState.UNREADABLE))
        self.assertEqual((run.started_at, run.entries.count()), (None, 0))

    def started_by(self, run: BulkRun) -> list[str]:
        """Who has approved it, if it was started."""
        self.assertNotIn(BulkRun.objects.get(pk=run.pk).state, ("reading", "ready"))
        approvals = run.events.filter(what=EventKind.RUN_APPROVED)
        return list(approvals.values_list("user_name", flat=True))

    def kinds(self, run: BulkRun) -> list[str]:
        return list(run.events.order_by("pk").values_list("what", flat=True))

    def tearDown(self) -> None:
        self.assertEqual(self_approved(), [], "somebody has approved their own")
        super().tearDown()


def self_approved() -> list[str]:
    """Started runs of more pairs than one person may send that no other person has approved.

    Told by the log and the rows alone, and by none of the columns that say so.
    """
    found = []
    for run in BulkRun.objects.filter(started_at__isnull=False):
        authors, each = {run.user_id}, run
        while each := each.retry_of:
            authors.add(each.user_id)
        approved = SecurityEvent.objects.filter(run=run, what=EventKind.RUN_APPROVED)
        others = approved.exclude(user__in=authors)
        if max(run.pairs, run.entries.count()) > LIMIT and not others.exists():
            found.append(f"{run} of {run.user_name}")
    return found


def ago(**of_time: float) -> Any:
    return timezone.now() - timezone.timedelta(**of_time)
