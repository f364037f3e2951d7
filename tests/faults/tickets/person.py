"""How a person who knows what the ticket means uses what the box shows."""

import re
from collections.abc import Iterable

from associations.finding.finder import Hit
from tests.faults.tickets.truth import Key, Known, folded

_DAY = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")


def key_of(hit: Hit) -> Key:
    return Key(hit.object_type.type_id, hit.record.object_id)


def choose(hits: Iterable[Hit], wanted: Known) -> Hit | None:
    """The only hit that can be the one that is wanted, by its name and its second line."""
    fitting = [hit for hit in hits if _fits(hit, wanted)]
    return fitting[0] if len(fitting) == 1 else None


def _fits(hit: Hit, wanted: Known) -> bool:
    """Nothing that is shown speaks against it, and the second line for it, if anything is known.

    A day says little, for nobody knows by heart when something was done; alone it has to do.
    """
    is_named_so = _words(hit.record.name) == _words(wanted.name)
    if hit.object_type.type_id != wanted.key.type_id or not is_named_so:
        return False
    shown = {folded(part) for part in hit.record.detail.split(" · ") if part.strip()}
    said = {part for part in shown if not _DAY.match(part)}
    return said <= wanted.facts if shown else not wanted.facts


def _words(name: str) -> list[str]:
    return sorted(folded(name).split())  # some write the family's name first
