"""Rows that are changed, swapped, moved and deleted."""

from django.db import models

from associations.audit.integrity.triggers import ASKED
from associations.models import OPEN_OUTCOMES
from tests.faults.log.databases import OWNER
from tests.faults.log.inserts import inserted, made_unique
from tests.faults.log.scene import (
    CHILDREN,
    WATCHING,
    Manipulation,
    Scene,
    Way,
    key_of,
    quoted_name,
    set_column,
    with_children,
)
from tests.faults.log.state import table, tables
from tests.faults.log.values import (
    FUTURE,
    LAST_ID,
    PAST,
    columns_of,
    literal,
    moment,
    times_of,
    value_for,
)


def update_any(scene: Scene) -> Manipulation:
    """One column of one row."""
    kind = scene.kind(*WATCHING)
    chosen = scene.chance.choice([f for f in columns_of(tables()[kind]) if not f.primary_key])
    return _update("update: any column", scene, kind, scene.pk(kind), chosen)


def update_open(scene: Scene) -> Manipulation | None:
    """What is open is given an answer, or another one than it has, or one that is none."""
    pks = [pk for pk, row in scene.rows["entry"].items() if row["outcome"] in OPEN_OUTCOMES]
    fields = [f for f in columns_of(tables()["entry"]) if f.column not in ASKED.split()]
    return _update_one_of("update: open entry", scene, "entry", pks, fields)


def update_export(scene: Scene) -> Manipulation | None:
    pks = [pk for pk, row in scene.rows["export"].items() if row["finished_at"] is None]
    fields = [f for f in columns_of(tables()["export"]) if not f.primary_key]
    return _update_one_of("update: open export", scene, "export", pks, fields)


def _update_one_of(
    name: str, scene: Scene, kind: str, pks: list[int], fields: list[models.Field]
) -> Manipulation | None:
    if not pks:
        return None
    pk, column = scene.chance.choice(sorted(pks)), scene.chance.choice(fields)
    return _update(name, scene, kind, pk, column)


def close_open(scene: Scene) -> Manipulation | None:
    """An open entry is closed by hand, at a time of one's own choice."""
    pks = [pk for pk, row in scene.rows["entry"].items() if row["outcome"] in OPEN_OUTCOMES]
    if not pks:
        return None
    at = scene.chance.choice([scene.now, *map(moment, (*PAST, *FUTURE))])
    values = f"outcome = 'linked', cause = 'confirmed', finished_at = {at}"
    statement = f"UPDATE {table('entry')} SET {values} WHERE id = {scene.chance.choice(pks)}"
    return Manipulation("update: closed by hand", [statement], [table("entry")])


def redate(scene: Scene) -> Manipulation | None:
    kind = scene.kind("seal", "names")
    chosen = scene.chance.choice(times_of(tables()[kind]))
    at = scene.chance.choice([*PAST, *FUTURE])
    statement = set_column(kind, scene.pk(kind), chosen.column, moment(at))
    return Manipulation("update: dates", [statement], [table(kind)])


def update_some(scene: Scene) -> Manipulation:
    """Many rows at once."""
    kind = scene.kind("seal")
    chosen = scene.chance.choice([f for f in columns_of(tables()[kind]) if not f.primary_key])
    value = value_for(chosen, scene.chance, nasty=0.1)
    told = f"{quoted_name(chosen.column)} = {value}"
    statement = f"UPDATE {table(kind)} SET {told} WHERE {key_of(kind)} > {scene.pk(kind)}"
    return Manipulation("update: many rows", [statement], [table(kind)])


def _update(name: str, scene: Scene, kind: str, pk: int, column: models.Field) -> Manipulation:
    value = value_for(column, scene.chance)
    return Manipulation(name, [set_column(kind, pk, column.column, value)], [table(kind)])


# --- swapped, moved, deleted ----------------------------------------------------------------------


def swap(scene: Scene) -> Manipulation | None:
    """Two rows change places, or what one column of theirs says."""
    kind = scene.kind(*WATCHING)
    if len(scene.rows[kind]) < 2:
        return None
    one, other = scene.pks(kind)
    if scene.chance.random() < 0.4:
        aside = str(10**9)
        steps = [(one, aside), (other, str(one)), (aside, str(other))]
        key, name = key_of(kind), table(kind)
        statements = [f"UPDATE {name} SET {key} = {new} WHERE {key} = {old}" for old, new in steps]
        return Manipulation("swap: numbers", statements, with_children(kind))
    columns = [f.column for f in columns_of(tables()[kind]) if not f.primary_key]
    chosen = columns if scene.chance.random() < 0.3 else [scene.chance.choice(columns)]
    unique = {name for name, _ in made_unique(scene, tables()[kind])}
    mine, theirs = (scene.rows[kind][pk] for pk in (one, other))
    chosen = [name for name in chosen if name not in unique] or [key_of(kind)]
    statements = [_filled(kind, one, theirs, chosen), _filled(kind, other, mine, chosen)]
    return Manipulation("swap: contents", statements, [table(kind)])


def _filled(kind: str, pk: int, row: dict[str, str | None], columns: list[str]) -> str:
    values = ", ".join(f"{quoted_name(name)} = {literal(row[name])}" for name in columns)
    return f"UPDATE {table(kind)} SET {values} WHERE {key_of(kind)} = {pk}"


def move(scene: Scene) -> Manipulation | None:
    """What came to one entry now came to another."""
    kind, column = scene.chance.choice(CHILDREN["entry"])
    if not scene.rows[kind]:
        return None
    statement = set_column(kind, scene.pk(kind), column, str(scene.pk("entry")))
    return Manipulation("move to another entry", [statement], [table(kind)])


def renumber(scene: Scene) -> Manipulation:
    kind = scene.kind(*WATCHING)
    pk = scene.chance.choice([max(scene.rows[kind]) + 7, 10**16, 0, -5, LAST_ID])
    key = key_of(kind)
    statement = f"UPDATE {table(kind)} SET {key} = {pk} WHERE {key} = {scene.pk(kind)}"
    return Manipulation("renumber", [statement], with_children(kind))


def delete(scene: Scene) -> Manipulation:
    """A row, and mostly what came to it."""
    kind = scene.kind(*WATCHING)
    pk, statements = scene.pk(kind), list[str]()
    if scene.role == OWNER or scene.chance.random() < 0.5:
        for child, column in CHILDREN.get(kind, []):
            statements.append(f"DELETE FROM {table(child)} WHERE {column} = {pk}")
    statements.append(f"DELETE FROM {table(kind)} WHERE {key_of(kind)} = {pk}")
    return Manipulation("delete: a row", statements, with_children(kind))


def delete_some(scene: Scene) -> Manipulation:
    """All from some number on, or up to it, of one kind; or the whole table."""
    kind = scene.kind("seal", "verification")
    way = scene.chance.choice(["<=", ">="])
    pk, touched = scene.pk(kind), with_children(kind)
    statements = [
        f"DELETE FROM {table(child)} WHERE {column} {way} {pk}"
        for child, column in CHILDREN.get(kind, [])
    ]
    return Manipulation(
        "delete: many rows",
        [*statements, f"DELETE FROM {table(kind)} WHERE {key_of(kind)} {way} {pk}"],
        touched,
    )


def replace_row(scene: Scene) -> Manipulation | None:
    """Deleted, and inserted under its number with something else in it."""
    kind = scene.kind(*WATCHING)
    if len(scene.rows[kind]) < 2 or kind == "entry":
        return None
    pk = scene.pk(kind)
    delete = f"DELETE FROM {table(kind)} WHERE {key_of(kind)} = {pk}"
    statements = [delete, inserted(scene, kind, str(pk))]
    return Manipulation("replace: a row", statements, [table(kind)])


WAYS: dict[Way, int] = {
    update_any: 8,
    update_open: 8,
    update_export: 2,
    close_open: 4,
    redate: 4,
    update_some: 2,
    swap: 4,
    move: 2,
    renumber: 2,
    delete: 4,
    delete_some: 2,
    replace_row: 2,
}
