"""Manipulations of what records were called, and of what accounts for names that are gone."""

from associations.hubspot.record_references import SIDES
from associations.models import name_digest
from tests.faults.log.chain import filled, signature
from tests.faults.log.databases import OWNER, on_postgresql
from tests.faults.log.scene import Manipulation, Scene, Way, set_column
from tests.faults.log.state import Row, table, tables
from tests.faults.log.values import (
    FUTURE,
    PAST,
    columns_of,
    literal,
    moment,
    quoted,
    value_for,
)

NAMES, ERASURE, ENTRY = map(table, ("names", "erasure", "entry"))
PARTS = ("name", "typed", "salt")


def name_altered(scene: Scene) -> Manipulation | None:
    """What one record was called, by what it was found, or what nobody could guess it without."""
    if not scene.rows["names"]:
        return None
    chosen = scene.chance.choice([f for f in columns_of(tables()["names"]) if not f.primary_key])
    value = value_for(chosen, scene.chance)
    statement = set_column("names", scene.pk("names"), chosen.column, value)
    return Manipulation("names: altered", [statement], [NAMES])


def name_given_away(scene: Scene) -> Manipulation | None:
    """Two entries tell of each other's records."""
    if len(scene.rows["names"]) < 2:
        return None
    one, other = scene.pks("names")
    statements = [
        _filled(one, scene.rows["names"][other]),
        _filled(other, scene.rows["names"][one]),
    ]
    return Manipulation("names: swapped", statements, [NAMES])


def _filled(pk: int, row: Row) -> str:
    told = ", ".join(f"{name} = {literal(row[name])}" for name in row if name != "entry_id")
    return f"UPDATE {NAMES} SET {told} WHERE entry_id = {pk}"


def names_removed(scene: Scene) -> Manipulation | None:
    if not scene.rows["names"]:
        return None
    statement = f"DELETE FROM {NAMES} WHERE entry_id = {scene.pk('names')}"
    return Manipulation("names: removed", [statement], [NAMES])


def names_planted(scene: Scene) -> Manipulation | None:
    """Beside an entry of which nobody saw a name, or in the place of those that somebody saw."""
    pk, statements = scene.pk("entry"), list[str]()
    if pk in scene.rows["names"]:
        statements.append(f"DELETE FROM {NAMES} WHERE entry_id = {pk}")
    told = [scene.chance.choice(["''", "'Eve'", "'0a'"]) for _ in range(6)]
    statements.append(f"INSERT INTO {NAMES} VALUES ({pk}, {', '.join(told)})")
    return Manipulation("names: planted", statements, [NAMES])


def name_with_its_digest(scene: Scene) -> Manipulation | None:
    """A name of one's own, and an entry that holds the digest of it."""
    if not scene.rows["names"]:
        return None
    pk, side = scene.pk("names"), scene.chance.choice(SIDES)
    told = {f"{side}_name": "Eve", f"{side}_typed": "", f"{side}_salt": "0a" * 16}
    names = ", ".join(f"{name} = {quoted(value)}" for name, value in told.items())
    digest = name_digest("0a" * 16, "Eve", "")
    statements = [
        f"UPDATE {NAMES} SET {names} WHERE entry_id = {pk}",
        set_column("entry", pk, f"{side}_name_digest", quoted(digest)),
    ]
    return Manipulation("names: altered with the digest", statements, [NAMES, ENTRY])


# --- erasures -------------------------------------------------------------------------------------


def erased_without_a_row(scene: Scene) -> Manipulation | None:
    """As erasing does it, but nothing says so."""
    if not scene.rows["names"]:
        return None
    side = scene.chance.choice(SIDES)
    return Manipulation("erasures: without a row", [_emptied(scene.pk("names"), side)], [NAMES])


def _emptied(pk: int, side: str) -> str:
    told = ", ".join(f"{side}_{part} = ''" for part in PARTS)
    return f"UPDATE {NAMES} SET {told} WHERE entry_id = {pk}"


def erasure_forged(scene: Scene) -> Manipulation | None:
    """One that nobody with the key has made, and mostly what it would account for."""
    if not scene.rows["names"]:
        return None
    pk, side = scene.pk("names"), scene.chance.choice(SIDES)
    shapes = [f'{{"{side}": "{pk}"}}', '{"from": "1-99999", "to": "1-99999"}', '{"from": 5}', "{}"]
    true = [row["signature"] or "" for row in scene.rows["erasure"].values()]
    values = {
        "erased_at": scene.chance.choice([scene.now, scene.now, *map(moment, (*PAST, *FUTURE))]),
        "by": quoted("root"),
        "records": _json(scene.chance.choice(['["contacts/501"]', "[]", "[5]"])),
        "entries": _json(scene.chance.choice(shapes)),
        "signature": quoted(scene.chance.choice([signature(scene, "0" * 64), *true])),
    }
    statements = [filled(scene, "erasure", values)]
    if scene.role == OWNER and scene.chance.random() < 0.7:
        statements.append(_emptied(pk, side))
    return Manipulation("erasures: forged", statements, [ERASURE, NAMES])


def _json(text: str) -> str:
    return f"{quoted(text)}{'::jsonb' if on_postgresql() else ''}"


def erasure_doubled(scene: Scene) -> Manipulation | None:
    """A true one, signed as it is, stands there twice, or as of another day."""
    if not scene.rows["erasure"]:
        return None
    row = scene.rows["erasure"][scene.pk("erasure")]
    values = {name: literal(value) for name, value in row.items() if name != "id"}
    if scene.chance.random() < 0.5:
        values["erased_at"] = scene.now
    return Manipulation("erasures: doubled", [filled(scene, "erasure", values)], [ERASURE])


def erasure_altered(scene: Scene) -> Manipulation | None:
    if not scene.rows["erasure"]:
        return None
    chosen = scene.chance.choice(columns_of(tables()["erasure"]))
    value = value_for(chosen, scene.chance)
    statement = set_column("erasure", scene.pk("erasure"), chosen.column, value)
    return Manipulation("erasures: altered", [statement], [ERASURE])


def erasure_removed(scene: Scene) -> Manipulation | None:
    if not scene.rows["erasure"]:
        return None
    statement = f"DELETE FROM {ERASURE} WHERE id = {scene.pk('erasure')}"
    return Manipulation("erasures: removed", [statement], [ERASURE])


WAYS: dict[Way, int] = {
    name_altered: 5,
    name_given_away: 2,
    names_removed: 3,
    names_planted: 4,
    name_with_its_digest: 2,
    erased_without_a_row: 4,
    erasure_forged: 5,
    erasure_doubled: 2,
    erasure_altered: 2,
    erasure_removed: 2,
}
