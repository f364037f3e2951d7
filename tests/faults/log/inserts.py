"""Rows that are added: as of now, of other dates, under numbers of one's own choice."""

from collections.abc import Iterator

from django.db import models

from tests.faults.log.scene import (
    CHILDREN,
    WATCHING,
    Manipulation,
    Scene,
    Way,
    quoted_name,
)
from tests.faults.log.state import table, tables
from tests.faults.log.values import (
    FUTURE,
    LAST_ID,
    PAST,
    columns_of,
    moment,
    times_of,
    unreadable_for,
    value_for,
)


def inserted(
    scene: Scene, kind: str, pk: str | None = None, values: dict[str, str] | None = None
) -> str:
    """A row like another one, as of now unless told otherwise, under the next number if none is."""
    model, values = tables()[kind], dict(values or {})
    key = model._meta.pk.column
    for each in times_of(model):
        values.setdefault(
            each.column,
            f"CASE WHEN {quoted_name(each.column)} IS NULL THEN NULL ELSE {scene.now} END",
        )
    for column, value in made_unique(scene, model):
        values.setdefault(column, value)
    if pk is not None:
        values[key] = pk
    names = [each.column for each in columns_of(model) if each.column != key or key in values]
    chosen = ", ".join(values.get(name, quoted_name(name)) for name in names)
    into = f"{table(kind)} ({', '.join(map(quoted_name, names))})"
    return f"INSERT INTO {into} SELECT {chosen} FROM {table(kind)} WHERE {key} = {scene.pk(kind)}"


def made_unique(scene: Scene, model: type[models.Model]) -> Iterator[tuple[str, str]]:
    for constraint in model._meta.constraints:
        if isinstance(constraint, models.UniqueConstraint) and constraint.fields:
            last = model._meta.get_field(constraint.fields[-1])
            yield last.column, "NULL" if last.null else str(scene.chance.randint(20, 30_000))


def insert_as_new(scene: Scene) -> Manipulation:
    """What whoever serves does all day."""
    kind = scene.kind(*WATCHING, "names")
    return Manipulation("insert: as of now", [inserted(scene, kind)], [table(kind)])


def insert_with_values(scene: Scene) -> Manipulation:
    """The same with something in it that nobody would say, or nobody can read."""
    kind = scene.kind(*WATCHING, "names")
    is_unreadable = scene.chance.random() < 0.5
    chosen = scene.chance.choice([f for f in columns_of(tables()[kind]) if not f.primary_key])
    draw = unreadable_for if is_unreadable else value_for
    values = {chosen.column: draw(chosen, scene.chance)}
    name = "insert: odd values" if is_unreadable else "insert: other values"
    return Manipulation(name, [inserted(scene, kind, values=values)], [table(kind)])


def insert_dated(scene: Scene) -> Manipulation:
    """A row of now, one or all of whose times lie in the past or in the future."""
    kind = scene.kind(*WATCHING, "names")
    which = scene.chance.choice(["past", "future"])
    at = moment(scene.chance.choice(PAST if which == "past" else FUTURE))
    if which == "past" and scene.chance.random() < 0.5 and scene.chain.seals:
        seal = scene.chance.choice(scene.chain.seals)
        at = moment(f"{seal.sealed_at:%Y-%m-%d %H:%M:%S}+00:00")
    times = times_of(tables()[kind])
    if scene.chance.random() < 0.5:
        times = [scene.chance.choice(times)]
    values = {each.column: at for each in times}
    return Manipulation(
        f"insert: dated {which}", [inserted(scene, kind, values=values)], [table(kind)]
    )


def insert_numbered(scene: Scene) -> Manipulation | None:
    """A row under a number of one's own choice."""
    kind = scene.kind("seal", "names")
    ways = ["pruned", "pruned", "pruned", "gap", "gap", "waiting", "ahead", "huge", "below 1"]
    where = scene.chance.choice([*ways, "taken"])
    top = max(scene.rows[kind])
    ids = {
        "pruned": scene.chain.ids(kind, "pruned"),
        "gap": sorted(set(scene.chain.ids(kind, "covered")) - set(scene.rows[kind])),
        "waiting": sorted(set(scene.chain.ids(kind, "waiting")) - set(scene.rows[kind])),
        "ahead": [top + 1, top + 2, top + 9, top + 5_000, top + 2_000_000],
        "huge": [10**15, 10**16, 10**18, 10**18 + 7, LAST_ID - 1, LAST_ID],
        "below 1": [0, -1, -(10**6), -LAST_ID],
        "taken": sorted(scene.rows[kind]),
    }[where]
    if not ids:
        return None
    statement = inserted(scene, kind, str(scene.chance.choice(ids)))
    return Manipulation(f"insert: number {where}", [statement], [table(kind)])


def insert_several(scene: Scene) -> Manipulation:
    """An entry with an attempt and a check of its own, as of now."""
    pk = max(scene.rows["entry"]) + scene.chance.randint(1, 50)
    statements = [inserted(scene, "entry", str(pk))]
    for kind, column in CHILDREN["entry"]:
        if scene.rows[kind]:
            statements.append(inserted(scene, kind, values={column: str(pk)}))
    touched = [table("entry"), *(table(kind) for kind, _ in CHILDREN["entry"])]
    return Manipulation("insert: entry and more", statements, touched)


WAYS: dict[Way, int] = {
    insert_as_new: 2,
    insert_with_values: 8,
    insert_dated: 8,
    insert_numbered: 9,
    insert_several: 1,
}
