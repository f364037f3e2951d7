"""Links that were made some days ago, in the log and in the sandbox, and a day's look at them."""

from datetime import timedelta
from typing import Any

from django.test import override_settings
from django.utils import timezone

from associations.gateway import clients
from associations.models import AssociationCheck, AssociationRequest, SecurityEvent, Sweep
from associations.sweep import sweeping
from tests.associations.bulk.engine import QUICK
from tests.support import LogTransactionTestCase, SandboxMixin, person

FIRST_CONTACT, FIRST_COMPANY = 1_000_001, 2_000_001


@override_settings(HUBSPOT_CALLS_PER_10_SECONDS=0, BULK_LEASE_SECONDS=60, SWEEP_QUOTA_PERCENT=0.5)
class SweepTestCase(SandboxMixin, LogTransactionTestCase):
    def setUp(self) -> None:
        super().setUp()
        self.user = person()
        for door in clients.OF_WORKERS:
            door.cache_clear()
            door().limits = QUICK

    def entry(self, number: int = 0, *, is_there: bool = True, **fields: Any) -> AssociationRequest:
        """A link of a contact to a company, made two days ago."""
        made_at = timezone.now() - timedelta(days=2)
        pair = {
            "from_object_type": "contacts",
            "from_object_id": str(FIRST_CONTACT + number),
            "to_object_type": "companies",
            "to_object_id": str(FIRST_COMPANY + number),
        }
        told = {"user_name": self.user.name, "outcome": "linked", "cause": "confirmed"}
        times = {"created_at": made_at, "sent_at": made_at, "finished_at": made_at}
        values = pair | told | times | {"api_version": "v4"} | fields
        entry = AssociationRequest.objects.create(user=self.user, **values)
        if is_there:
            self.sandbox.link(*self.ends(entry))
        return entry

    def ends(self, entry: AssociationRequest) -> tuple[str, str, str, str]:
        one = entry.from_object_type, entry.from_object_id
        return *one, entry.to_object_type, entry.to_object_id

    def unlink(self, entry: AssociationRequest, **options: bool) -> None:
        self.sandbox.unlink(*self.ends(entry), **options)

    def delete(self, object_type: str, object_id: str, entry: AssociationRequest) -> None:
        """As HubSpot does: with its links."""
        self.sandbox.archive(object_type, object_id)
        self.unlink(entry)

    def sweep(self) -> int:
        """Sweep until nothing is left today; return how many calls that took."""
        before = len(self.sandbox.requests)
        for _ in range(1_000):
            if not sweeping.take_step():
                break
        return len(self.sandbox.requests) - before

    def tomorrow(self) -> None:
        """What was of today is of a day before; nobody has to wait."""
        Sweep.objects.update(day="2026-01-01", lease_until=None)

    def sweep_anew(self) -> int:
        self.tomorrow()
        return self.sweep()

    def found(self, entry: AssociationRequest | None = None) -> list[str]:
        checks = AssociationCheck.objects.filter(entry=entry) if entry else AssociationCheck.objects
        return list(checks.order_by("pk").values_list("finding", flat=True))

    def told(self) -> list[dict[str, Any]]:
        """What the log was told of each day."""
        events = SecurityEvent.objects.filter(what="links_swept").order_by("pk")
        return [event.facts for event in events]
