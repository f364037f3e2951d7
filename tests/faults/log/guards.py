"""What is done to the guards: taken off for a while or for good, changed, and got round.

The owner of the tables takes off what stands in the way of a manipulation, and mostly puts all of
it back, as whoever wants to stay unseen would. On SQLite that is whoever has the file.
"""

from django.db.models import Model

from associations.audit.integrity import triggers
from associations.models import AssociationRequest
from tests.faults.log.databases import OWNER, SERVING, on_postgresql, rows_of
from tests.faults.log.scene import Manipulation, Scene, Way
from tests.faults.log.state import table, tables

_EMPTY = "RETURNS trigger LANGUAGE plpgsql AS $$BEGIN RETURN NEW; END$$"
_CONSTRAINTS = """
SELECT conrelid::regclass::text, conname, pg_get_constraintdef(oid), confrelid::regclass::text
FROM pg_constraint WHERE contype IN ('c', 'f') AND conrelid::regclass::text LIKE 'associations_%'
"""
_ALWAYS = """
SELECT tgrelid::regclass::text, tgname FROM pg_trigger WHERE NOT tgisinternal AND tgenabled = 'A'
"""
_ON_SQLITE = (
    "SELECT tbl_name, name, sql FROM sqlite_master WHERE type = 'trigger' AND name LIKE 'hub%'"
)


class Guards:
    """Those that a database has, as they were before anybody touched them."""

    def __init__(self) -> None:
        if on_postgresql():
            self.constraints = rows_of(_CONSTRAINTS)
            self.always = rows_of(_ALWAYS)
        else:
            upkeep = "_text_", "_names_"  # of the text indexes
            found = rows_of(_ON_SQLITE)
            self.triggers = [row for row in found if not any(u in row[1] for u in upkeep)]

    def off_and_on(self, scene: Scene, touched: list[str]) -> tuple[list[str], list[str]]:
        """What the owner runs before and after, for these tables."""
        if not on_postgresql():
            return self._on_sqlite(touched)
        off = [f"ALTER TABLE {name} DISABLE TRIGGER USER" for name in touched]
        on = [
            f"ALTER TABLE {name} ENABLE ALWAYS TRIGGER {trigger}"
            for name, trigger in self.always
            if name in touched
        ]
        if scene.chance.random() < 0.6:
            away = [c for c in self.constraints if c[0] in touched or c[3] in touched]
            off += [f'ALTER TABLE {name} DROP CONSTRAINT "{each}"' for name, each, *_ in away]
            if scene.chance.random() < 0.5:
                on += [_put_back(*constraint) for constraint in away]
        return off, on

    def _on_sqlite(self, touched: list[str]) -> tuple[list[str], list[str]]:
        away = [(name, sql) for on, name, sql in self.triggers if on in touched]
        off = ["PRAGMA ignore_check_constraints = ON", *(f"DROP TRIGGER {n}" for n, _ in away)]
        return off, ["PRAGMA ignore_check_constraints = OFF", *(sql for _, sql in away)]


def _put_back(name: str, constraint: str, definition: str, other: str) -> str:
    definition = definition.removesuffix(" NOT VALID")
    return f'ALTER TABLE {name} ADD CONSTRAINT "{constraint}" {definition} NOT VALID'


# --- taken off for good ---------------------------------------------------------------------------


def trigger_dropped(scene: Scene) -> Manipulation:
    return Manipulation("triggers: dropped", [_any(scene).drop], must=True)


def trigger_changed(scene: Scene) -> Manipulation:
    """Of the same name, and harmless."""
    trigger = _any(scene)
    if on_postgresql():
        body = scene.chance.choice(["WHEN (false)", "WHEN (pg_backend_pid() < 0)"])
        event = scene.chance.choice(["BEFORE UPDATE", "BEFORE INSERT", "AFTER DELETE"])
        run = "EXECUTE FUNCTION hubadmin_refuse('no')"
        create = (
            f"CREATE TRIGGER {trigger.name} {event} ON {trigger.table} FOR EACH ROW {body} {run}"
        )
        always = f"ALTER TABLE {trigger.table} ENABLE ALWAYS TRIGGER {trigger.name}"
        statements = [trigger.drop, create, always]
    else:
        body = f"BEFORE DELETE ON {trigger.table} BEGIN SELECT 1; END"
        statements = [trigger.drop, f"CREATE TRIGGER {trigger.name} {body}"]
    return Manipulation("triggers: changed", statements, must=True)


def trigger_disabled(scene: Scene) -> Manipulation | None:
    if not on_postgresql():
        return None
    trigger, mode = _any(scene), scene.chance.choice(["DISABLE", "ENABLE", "ENABLE REPLICA"])
    name = scene.chance.choice([trigger.name, "USER"]) if mode == "DISABLE" else trigger.name
    statement = f"ALTER TABLE {trigger.table} {mode} TRIGGER {name}"
    return Manipulation("triggers: disabled", [statement], must=True)


def _any(scene: Scene) -> triggers.Trigger:
    expected = triggers.expected("postgresql" if on_postgresql() else "sqlite")
    return scene.chance.choice(expected)


def trigger_planted(scene: Scene) -> Manipulation:
    """One of one's own beside them: it swallows rows, or changes them on their way."""
    kind = scene.kind()
    name, key = table(kind), tables()[kind]._meta.pk.column
    if on_postgresql():
        changed = f"NEW.{key} := NEW.{key} + 1; RETURN NEW"
        body = scene.chance.choice(["RETURN NULL", changed])
        function = f"FUNCTION planted() RETURNS trigger LANGUAGE plpgsql AS $$BEGIN {body}; END$$"
        run = f"CREATE TRIGGER a BEFORE INSERT ON {name} FOR EACH ROW EXECUTE FUNCTION planted()"
        statements = [f"CREATE {function}", run]
    else:
        body = "SELECT RAISE(IGNORE)"
        statements = [f"CREATE TRIGGER a BEFORE INSERT ON {name} BEGIN {body}; END"]
    return Manipulation("triggers: planted beside", statements, must=True)


def rule_planted(scene: Scene) -> Manipulation | None:
    if not on_postgresql():
        return None
    event = scene.chance.choice(["INSERT", "UPDATE"])
    statement = f"CREATE RULE planted AS ON {event} TO {table(scene.kind())} DO INSTEAD NOTHING"
    return Manipulation("rules: planted", [statement], must=True)


def row_security(scene: Scene) -> Manipulation | None:
    """Some rows are not shown any more to whoever serves and verifies."""
    if not on_postgresql():
        return None
    kind = scene.kind("verification")
    name, key = table(kind), tables()[kind]._meta.pk.column
    hidden = scene.chance.choice([f"{key} <> {scene.pk(kind)}", f"{key} < {scene.pk(kind)}"])
    statements = [
        f"ALTER TABLE {name} ENABLE ROW LEVEL SECURITY",
        f"ALTER TABLE {name} FORCE ROW LEVEL SECURITY",
        f"CREATE POLICY planted ON {name} USING ({hidden})",
    ]
    return Manipulation("row security: planted", statements, must=True)


def constraint_dropped(scene: Scene) -> Manipulation | None:
    """By itself it changes nothing that the log says."""
    if not on_postgresql():
        return None
    name, constraint, *_ = scene.chance.choice(rows_of(_CONSTRAINTS))
    statement = f'ALTER TABLE {name} DROP CONSTRAINT "{constraint}"'
    return Manipulation("constraints: dropped", [statement])


def function_replaced(scene: Scene) -> Manipulation | None:
    if not on_postgresql():
        return None
    how = scene.chance.choice(
        ["hubadmin_refuse()", "hubadmin_refuse()", "public.hubadmin_refuse()"]
    )
    return Manipulation(
        "functions: replaced", [f"CREATE OR REPLACE FUNCTION {how} {_EMPTY}"], must=True
    )


_PLANTS = [
    f"CREATE FUNCTION public.hubadmin_refuse(text) {_EMPTY.replace('trigger', 'text', 1)}",
    "CREATE FUNCTION public.md5(character varying) RETURNS text LANGUAGE sql AS $$SELECT 'x'$$",
    "CREATE FUNCTION public.length(character varying) RETURNS int LANGUAGE sql AS $$SELECT 1$$",
    "CREATE FUNCTION public.ne(character varying, text) RETURNS boolean LANGUAGE sql "
    "AS $$SELECT false$$; CREATE OPERATOR public.<> (LEFTARG = character varying, "
    "RIGHTARG = text, FUNCTION = public.ne)",
    "CREATE TABLE public.planted (id int)",
    "CREATE SCHEMA planted",
]


def function_planted(scene: Scene) -> Manipulation | None:
    """In the schema that all look into: nearer to the types than what a migration means.

    The owner of the schema may; whoever serves would have its own run by the owner.
    """
    if not on_postgresql():
        return None
    statements = scene.chance.choice(_PLANTS).split("; ")
    return Manipulation("functions: planted", statements, must=scene.role == SERVING)


def truncate(scene: Scene) -> Manipulation:
    name = table(scene.kind())
    if on_postgresql():
        statement = f"TRUNCATE {name} {scene.chance.choice(['CASCADE', ''])}"
    else:
        statement = f"DELETE FROM {name}"
    return Manipulation("truncate", [statement])


def take_part(scene: Scene) -> Manipulation | None:
    """To become whoever may, and to have triggers not fire."""
    if not on_postgresql():
        return None
    statement = scene.chance.choice(
        [
            "SET session_replication_role = replica",
            f"ALTER TABLE {table('entry')} OWNER TO CURRENT_USER",
            f"GRANT ALL ON {table('entry')} TO PUBLIC",
            "SET CONSTRAINTS ALL DEFERRED",
            f"DROP TABLE {table('seal')} CASCADE",
        ]
    )
    if scene.role == OWNER:
        return None  # it may; nothing is gained
    return Manipulation("rights: taken", [statement])


def replaced_on_conflict(scene: Scene) -> Manipulation:
    """Ways to change a row that are no UPDATE to the eye."""
    model: type[Model] = AssociationRequest
    name, pk = model._meta.db_table, scene.pk("entry")
    columns = "id, user_id, user_name, from_object_type, from_object_id, to_object_type"
    if on_postgresql():
        statement = (
            f"MERGE INTO {name} t USING (SELECT {pk} AS id) s ON t.id = s.id WHEN MATCHED THEN "
        )
        statement += scene.chance.choice(
            ["DELETE", "UPDATE SET reason = 'x'", "UPDATE SET body = 'x'"]
        )
    else:
        statement = f"REPLACE INTO {name} SELECT * FROM {name} WHERE id = {pk}"
        if scene.chance.random() < 0.5:
            statement = f"INSERT INTO {name} SELECT * FROM {name} WHERE id = {pk} "
            statement += f"ON CONFLICT (id) DO UPDATE SET reason = 'x' -- {columns}"
    return Manipulation("update: by other words", [statement], [name])


WAYS: dict[Way, int] = {
    trigger_dropped: 2,
    trigger_changed: 2,
    trigger_disabled: 2,
    trigger_planted: 2,
    rule_planted: 1,
    row_security: 1,
    constraint_dropped: 1,
    function_replaced: 1,
    function_planted: 2,
    truncate: 1,
    take_part: 1,
    replaced_on_conflict: 2,
}
# These are the owner's whole aim, who therefore takes nothing else off before.
UNAIDED = {*WAYS} - {truncate, replaced_on_conflict}
