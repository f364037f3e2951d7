"""One record as HubSpot shows it: under which id, with what name, and where people see it."""

from dataclasses import dataclass

from django.conf import settings

from associations.finding import names
from associations.gateway.account import display_property, portal_id
from associations.gateway.cache import cached_lookup
from associations.hubspot import lookups
from associations.hubspot.client import ReadError
from associations.hubspot.object_types import ObjectType
from associations.hubspot.record_references import record_url
from associations.hubspot.schemas import Record
from associations.texts.labels import merged_text, record_label, type_label

RECORD_SECONDS, ARCHIVED_SECONDS = 60, 5


@dataclass(frozen=True, slots=True)
class ShownRecord:
    """What HubSpot has under a type and an id; `error` if it did not show that.

    `is_archived`: it has none any more, and somebody has asked whether it was deleted.
    """

    object_type: ObjectType
    object_id: str
    record: Record | None = None
    error: ReadError | None = None
    url: str = ""
    is_archived: bool = False

    @property
    def label(self) -> str:
        return record_label(self.object_type.canonical, self.object_id)

    @property
    def name(self) -> str:
        return (self.record and self.record.name) or self.label

    @property
    def type_label(self) -> str:
        return type_label(self.object_type.canonical)

    @property
    def is_missing(self) -> bool:
        return self.record is None and self.error is None

    @property
    def id_left(self) -> str:
        """Under which id HubSpot has it: another one if it was merged."""
        return self.record.object_id if self.record else self.object_id

    @property
    def merged(self) -> str:
        """Into which record it was merged, if it was."""
        is_merged = self.id_left != self.object_id
        into = self.id_left if is_merged else ""
        return merged_text(self.object_type.canonical, self.object_id, into)


def shown_record(
    object_type: ObjectType, object_id: str, seconds: float = RECORD_SECONDS
) -> ShownRecord:
    """Return what HubSpot shows under a type and an id. Never raises ReadError."""
    portal, canonical = portal_id(), object_type.canonical
    named_by = display_property(object_type.canonical)
    try:
        record = cached_lookup(
            lookups.find_record,
            canonical,
            object_id,
            named_by,
            seconds=seconds,
        )
    except ReadError as error:
        return ShownRecord(object_type, object_id, error=error)
    if record is None:
        return ShownRecord(object_type, object_id)
    names.remember(canonical, record)
    url = record_url(settings.HUBSPOT_UI_URL, portal, canonical, record.object_id)
    return ShownRecord(object_type, object_id, record, url=url)


def is_archived(object_type: ObjectType, object_id: str) -> bool:
    """Whether one that is missing was deleted not long ago, as far as HubSpot tells."""
    asked = object_type.canonical, object_id
    try:
        return cached_lookup(lookups.is_archived, *asked, seconds=ARCHIVED_SECONDS)
    except ReadError:
        return False  # it is not there, so much is known
