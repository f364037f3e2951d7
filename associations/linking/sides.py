"""The two records of an entry as its page names them: then, and as HubSpot has them now."""

from collections.abc import Sequence
from dataclasses import dataclass

from associations.finding.shown_record import ShownRecord
from associations.hubspot.record_references import SIDES
from associations.models import AssociationRequest, SeenNames
from associations.texts.labels import from_label, to_label


@dataclass(frozen=True, slots=True)
class EntrySide:
    """One record: what it was called, by what it was found, and what HubSpot shows of it now.

    `name` and `typed` are empty where the entry keeps none, `now` is None where nobody has looked.
    """

    label: str
    name: str = ""
    typed: str = ""
    now: ShownRecord | None = None

    @property
    def called(self) -> str:
        """Its name then, or now where that is not kept; empty if neither is known."""
        return self.name or self._name_now

    @property
    def now_called(self) -> str:
        """Its name now, where it was another one then."""
        return self._name_now if self.name and self._name_now != self.name else ""

    @property
    def _name_now(self) -> str:
        return self.now.record.name if self.now and self.now.record else ""


def sides_of(
    entry: AssociationRequest, now: Sequence[ShownRecord | None] = (None, None)
) -> list[EntrySide]:
    """Return both sides; `now` has what HubSpot shows of them, if that was looked up."""
    kept = getattr(entry, "names", None) or SeenNames()
    return [
        EntrySide(label, getattr(kept, f"{side}_name"), getattr(kept, f"{side}_typed"), shown)
        for side, label, shown in zip(SIDES, (from_label(entry), to_label(entry)), now, strict=True)
    ]
