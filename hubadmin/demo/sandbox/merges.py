"""Records that were merged: an old id goes on meaning the record that is left, under its own id."""

from hubadmin.demo.sandbox import portal

# Type id and old id → the id of the record that is left.
MERGED = {("0-2", "911"): "903"}


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

    def id_of(self, type_id: str, record_id: str) -> str:
        """Return the id of the record that is left; that of one never merged is its own."""
        while (type_id, record_id) in self._into:
            record_id = self._into[type_id, record_id]
        return record_id

    def find_record(self, type_id: str, record_id: str) -> dict[str, str] | None:
        """Return the properties of what an id means now; None where there is no such record.

        A record that is new looks like the first of those that were merged into it.
        """
        left = self.id_of(type_id, record_id)
        old = (i for t, i, into in self.all() if (t, into) == (type_id, left))
        found = (portal.find_record(type_id, each) for each in (left, *old))
        record = next(filter(None, found), None)
        return record and {**record, "hs_object_id": left}
