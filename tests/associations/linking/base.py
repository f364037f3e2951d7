"""What the tests of the pages share."""

from django.test import TestCase
from django.utils import timezone

from associations.models import AssociationRequest, BulkRun
from tests.support import LINK, SandboxMixin, SignedInClient, person


def entry_of(user: object, **fields: object) -> AssociationRequest:
    """An entry as a finished request leaves it, straight into the database."""
    now = timezone.now()
    values = {"outcome": "linked", "cause": "confirmed", "api_version": "v4"} | LINK
    values |= {"created_at": now, "sent_at": now, "finished_at": now, "user_name": user.name}
    return AssociationRequest.objects.create(user=user, **(values | fields))


def run_of(user: object, **fields: object) -> BulkRun:
    """A bulk run, straight into the database; done unless `state` says otherwise."""
    values = {"name": "customers.csv", "state": "done", "user_name": user.name}
    return BulkRun.objects.create(user=user, **(values | {"created_at": timezone.now()} | fields))


class PageTestCase(SandboxMixin, TestCase):
    def setUp(self) -> None:
        super().setUp()
        self.user, self.admin = person(), person("admin")
        self.client = SignedInClient(self.user)
        self.as_admin = SignedInClient(self.admin)
