"""Records that were merged: an old id goes on meaning the record that is left, under its own id."""

from hubadmin.demo.sandbox.people import MERGED_PEOPLE

# Type id and old id → the id of the record that is left.
MERGED = {("0-2", "911"): "903"} | MERGED_PEOPLE


class Merges:
    """Which record was merged into which. The one that is left may be a new one, as HubSpot's is.

    Safe to use from many threads.
    """

    def __init__(self) -> None:
        self.clear()

    def clear(self) -> None:
        """Go back to what the portal begins with."""
        self._into = dict(MERGED)

    def add(self, type_id: str, old: str, new: str) -> None:
        """Merge one record into another; that one may be merged on."""
        self._into = {**self._into, (type_id, old): new}

    def all(self) -> list[tuple[str, str, str]]:
        """Return type id, old id and the id of the record that is left, of each."""
        return [(type_id, old, self.id_of(type_id, old)) for type_id, old in self._into]

    def into(self, type_id: str, record_id: str) -> list[str]:
        """Return the ids of those that were merged into a record, the first one first."""
        return [old for t, old, left in self.all() if (t, left) == (type_id, record_id)]

    def by_record(self, type_id: str) -> dict[str, list[str]]:
        """Return of each record of a type that is left by a merge which were merged into it."""
        into: dict[str, list[str]] = {}
        for each, old, left in self.all():
            if each == type_id:
                into.setdefault(left, []).append(old)
        return into

    def id_of(self, type_id: str, record_id: str) -> str:
        """Return the id of the record that is left; that of one never merged is its own."""
        while (type_id, record_id) in self._into:
            record_id = self._into[type_id, record_id]
        return record_id
