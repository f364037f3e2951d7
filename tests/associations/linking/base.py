"""What the tests of the pages share."""

from django.test import TestCase
from django.utils import timezone

from associations.models import AssociationRequest, BulkRun, RecordNames, name_digest, new_salt
from tests.support import LINK, SandboxMixin, SignedInClient, person


def entry_of(user: object, **fields: object) -> AssociationRequest:
    """An entry as a finished request leaves it, straight into the database."""
    now = timezone.now()
    values = {"outcome": "linked", "cause": "confirmed", "api_version": "v4"} | LINK
    values |= {"created_at": now, "sent_at": now, "finished_at": now, "user_name": user.name}
    return AssociationRequest.objects.create(user=user, **(values | fields))


def named_entry_of(
    user: object, from_name: str, to_name: str, typed: str = "", **fields: object
) -> AssociationRequest:
    """The same with what the records were called, and by what the first one was found."""
    salts = new_salt(), new_salt()
    digests = {
        "from_name_digest": name_digest(salts[0], from_name, typed),
        "to_name_digest": name_digest(salts[1], to_name, ""),
    }
    entry = entry_of(user, **digests, **fields)
    RecordNames.objects.create(
        entry=entry,
        from_name=from_name,
        from_typed=typed,
        from_salt=salts[0],
        to_name=to_name,
        to_salt=salts[1],
    )
    return entry


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
