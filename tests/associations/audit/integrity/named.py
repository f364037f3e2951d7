"""A log that keeps names: whoever may open it can change them, and nobody unseen."""

from typing import Any

from associations.audit.integrity import erasing, signing
from associations.models import AssociationRequest, AuditErasure, RecordNames
from tests.associations.audit.integrity.base import as_owner, seal, settle, sql
from tests.associations.linking.base import named_entry_of

NAMES = RecordNames._meta.db_table
ADA, MAIL, COMPANY = "Ada Byron", "ada@example.com", "Analytical Ltd"
ADAS, GRACES = ("contacts", "501"), ("contacts", "77")


class NamedLogMixin:
    """Two entries of Ada, one of Grace, and one without names; sealed, but for what comes then."""

    def setUp(self) -> None:
        super().setUp()
        self.adas = [self.named(ADA, ADAS, typed=MAIL), self.named(ADA, ADAS)]
        self.graces = self.named("Grace Hopper", GRACES, typed="grace@example.com")
        self.nameless = self.entry()
        seal()
        settle()

    def named(
        self, name: str, record: tuple[str, str], to_name: str = COMPANY, **fields: Any
    ) -> AssociationRequest:
        told = dict(zip(("from_object_type", "from_object_id"), record, strict=True))
        return named_entry_of(self.user, name, to_name, **self.dated(told | fields))

    def erased(self, *records: tuple[str, str], text: str = "") -> erasing.Erasure:
        settle()
        found = erasing.erase(records or [ADAS], "the tests", text)
        settle()
        return found

    def alter(self, entry: AssociationRequest, **columns: str) -> None:
        told = ", ".join(f"{name} = %s" for name in columns)
        with as_owner():
            sql(f"UPDATE {NAMES} SET {told} WHERE entry_id = {entry.pk}", *columns.values())

    def remove(self, entry: AssociationRequest) -> None:
        with as_owner():
            sql(f"DELETE FROM {NAMES} WHERE entry_id = {entry.pk}")

    def erasure(self, *, is_signed: bool = False, **fields: Any) -> AuditErasure:
        values = {"erased_at": self.clock(), "by": "nobody", "records": ["contacts/501"]}
        values |= {"entries": {"from": f"{self.adas[0].pk}"}, "signature": "AAAA"}
        row = AuditErasure(**(values | fields))
        if is_signed:
            row.signature = signing.sign(row.statement)
        row.save(force_insert=True)
        return row

    def kept(self) -> list[dict[str, Any]]:
        return list(RecordNames.objects.order_by("pk").values())
