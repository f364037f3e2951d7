"""Manipulations of what proves the log: seals, prunings, and what verifications have found."""

import base64
import re
from collections.abc import Iterator

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from associations.audit.integrity.manifest import head_of
from tests.faults.log.databases import SERVING
from tests.faults.log.scene import CHILDREN, Manipulation, Scene, Way, set_column
from tests.faults.log.state import Row, table, tables
from tests.faults.log.values import (
    FUTURE,
    LAST_ID,
    PAST,
    columns_of,
    empty_value,
    literal,
    moment,
    quoted,
    value_for,
)

SEAL, PRUNING, VERIFICATION = map(table, ("seal", "pruning", "verification"))
SHOWN = 777_777  # what a forged verification says is proven; no log here has so many seals
_OTHER_KEY = Ed25519PrivateKey.from_private_bytes(b"whoever has no key makes one up."[:32])


def filled(scene: Scene, kind: str, values: dict[str, str]) -> str:
    """A row of these values, and of no others."""
    chosen = {
        each.column: values.get(each.column) or empty_value(each, scene.now)
        for each in columns_of(tables()[kind])
        if each.column != "id" or "id" in values
    }
    return f"INSERT INTO {table(kind)} ({', '.join(chosen)}) VALUES ({', '.join(chosen.values())})"


def signature(scene: Scene, head: str) -> str:
    """One that does not come from the key: none, gibberish, or another key's."""
    others = base64.b64encode(_OTHER_KEY.sign(head.encode())).decode()
    theirs = [row["signature"] or "" for row in scene.rows["seal"].values()]
    return scene.chance.choice(["", "x", "AAAA", others, others, *theirs[-2:]])


# --- seals ----------------------------------------------------------------------------------------


def seal_column(scene: Scene) -> Manipulation | None:
    if not scene.rows["seal"]:
        return None
    chosen = scene.chance.choice(columns_of(tables()["seal"]))
    statement = set_column("seal", scene.pk("seal"), chosen.column, value_for(chosen, scene.chance))
    return Manipulation("seals: a column altered", [statement], [SEAL])


def seal_text(scene: Scene) -> Manipulation | None:
    """A seal says something else, and its head and those of all after it fit."""
    if not scene.rows["seal"]:
        return None
    first, previous, statements = scene.pk("seal"), "", list[str]()
    for number in sorted(pk for pk in scene.rows["seal"] if pk >= first):
        row = scene.rows["seal"][number]
        text = row["manifest"] or ""
        text = _altered(scene, text) if not previous else _after(text, previous)
        previous = head_of(text)
        told = {"manifest": text, "head": previous, "signature": signature(scene, previous)}
        values = ", ".join(f"{name} = {quoted(value)}" for name, value in told.items())
        statements.append(f"UPDATE {SEAL} SET {values} WHERE number = {number}")
    return Manipulation("seals: rewritten", statements, [SEAL])


def _altered(scene: Scene, text: str) -> str:
    lines = text.splitlines(keepends=True)
    item = re.compile(r"[a-z]+ \d+ [0-9a-f]{64}")
    items = [number for number, line in enumerate(lines) if item.match(line)]
    number = scene.chance.choice(items or [len(lines) - 1])
    how = scene.chance.choice(["drop", "digest", "covers"])
    if how == "drop":
        del lines[number]
    elif how == "digest":
        lines[number] = re.sub(r"[0-9a-f]{64}", "f" * 64, lines[number])
    else:
        lines = [re.sub(r"^(covers \w+) (\d+)$", r"\1 1\2", line) for line in lines]
    return "".join(lines)


def _after(text: str, previous: str) -> str:
    return re.sub(r"^previous [0-9a-f]{64}$", f"previous {previous}", text, count=1, flags=re.M)


def seals_swapped(scene: Scene) -> Manipulation | None:
    """Two seals change their numbers, or all else but their heads."""
    if len(scene.rows["seal"]) < 2:
        return None
    one, other = scene.pks("seal")
    names = [f.column for f in columns_of(tables()["seal"]) if f.column not in ("number", "head")]
    if scene.chance.random() < 0.5:
        numbers = [(one, 10**9), (other, one), (10**9, other)]
        statements = [set_column("seal", old, "number", str(new)) for old, new in numbers]
    else:
        rows = scene.rows["seal"]
        statements = [_filled(one, rows[other], names), _filled(other, rows[one], names)]
    return Manipulation("seals: swapped", statements, [SEAL])


def _filled(pk: int, row: Row, columns: list[str]) -> str:
    values = ", ".join(f"{name} = {literal(row[name])}" for name in columns)
    return f"UPDATE {SEAL} SET {values} WHERE number = {pk}"


def seals_removed(scene: Scene) -> Manipulation | None:
    """Some in the middle, or the oldest ones: a hole."""
    numbers = sorted(scene.rows["seal"])[:-1]
    if not numbers:
        return None
    first = scene.chance.choice(numbers)
    last = scene.chance.choice([pk for pk in numbers if pk >= first])
    statements = [f"DELETE FROM {SEAL} WHERE number BETWEEN {first} AND {last}"]
    if scene.chance.random() < 0.4:
        statements = [*_contents(scene, first, last), *statements]
    return Manipulation("seals: removed before the newest", statements, _all_tables())


def seals_cut_off(scene: Scene) -> Manipulation | None:
    """The newest ones, or all; some with what they hold."""
    if not scene.rows["seal"]:
        return None
    first = scene.pk("seal")
    statements = [f"DELETE FROM {SEAL} WHERE number >= {first}"]
    if scene.chance.random() < 0.4:
        statements = [*_contents(scene, first, LAST_ID), *statements]
    return Manipulation("seals: the newest cut off", statements, _all_tables())


def _contents(scene: Scene, first: int, last: int) -> Iterator[str]:
    held = [each for each in scene.chain.seals if first <= each.number <= last]
    for kind in ("check", "attempt", "entry", "batch", "export", "pruning", "erasure"):
        ids = ", ".join(str(pk) for seal in held for pk in seal.ids(kind))
        if ids and kind == "entry":
            for child, column in CHILDREN["entry"]:
                yield f"DELETE FROM {table(child)} WHERE {column} IN ({ids})"
        if ids:
            yield f"DELETE FROM {table(kind)} WHERE id IN ({ids})"


def _all_tables() -> list[str]:
    return [table(kind) for kind in tables()]


def seal_forged(scene: Scene) -> Manipulation:
    """One more, made up, or like one that there is."""
    last = max(scene.rows["seal"], default=0)
    number = scene.chance.choice([last + 1, last + 1, last + 1, last + 2, 0, -1, 10**18, LAST_ID])
    text = f"hubadmin-seal 1\nnumber {number}\n"
    if scene.rows["seal"]:
        text = scene.rows["seal"][scene.chance.choice([last, scene.pk("seal")])]["manifest"] or ""
        text = _after(re.sub(r"^number \d+$", f"number {number}", text, flags=re.M), _head(scene))
    if scene.chance.random() < 0.3:
        text = scene.chance.choice(["", "x", "hubadmin-seal 1\nnumber x\n", "\u0085\n" * 9])
    at = re.search(r"^sealed_at (.*)\.\d+Z$", text, re.M)
    values = {
        "number": str(number),
        "sealed_at": moment(f"{at[1]}+00:00") if at and scene.chance.random() < 0.5 else scene.now,
        "manifest": quoted(text),
        "head": quoted(head_of(text)),
        "signature": quoted(signature(scene, head_of(text))),
    }
    return Manipulation("seals: forged", [filled(scene, "seal", values)], [SEAL])


def _head(scene: Scene) -> str:
    rows = scene.rows["seal"]
    return (rows[max(rows)]["head"] or "") if rows else "0" * 64


# --- prunings -------------------------------------------------------------------------------------


def pruning_forged(scene: Scene) -> Manipulation | None:
    """One that accounts for some part, whether that is gone or not."""
    if not scene.rows["seal"]:
        return None
    first, number = min(scene.rows["seal"]), scene.pk("seal")
    number = scene.chance.choice([first, first, number, 10**17])
    known = scene.rows["seal"].get(number)
    values = {
        "pruned_at": scene.chance.choice([scene.now, scene.now, *map(moment, (*PAST, *FUTURE))]),
        "last_seal": str(number),
        "head": quoted(
            (known["head"] or "") if known and scene.chance.random() < 0.8 else "0" * 64
        ),
        "items": str(scene.chance.choice([0, 1, 9, -1, 10**17])),
        "archive_name": quoted("archive.jsonl"),
        "archive_sha256": quoted("0" * 64),
        "signature": quoted(signature(scene, "0" * 64)),
    }
    statements = [filled(scene, "pruning", values)]
    if scene.role != SERVING and scene.chance.random() < 0.5 and number in scene.rows["seal"]:
        gone = [*_contents(scene, 0, number), f"DELETE FROM {SEAL} WHERE number < {number}"]
        return Manipulation("prunings: forged, part gone", [*gone, *statements], _all_tables())
    return Manipulation("prunings: forged", statements, [PRUNING])


def pruning_doubled(scene: Scene) -> Manipulation | None:
    """A true one, signed as it is, stands there twice."""
    if not scene.rows["pruning"]:
        return None
    row = scene.rows["pruning"][scene.pk("pruning")]
    values = {name: literal(value) for name, value in row.items() if name != "id"}
    if scene.chance.random() < 0.5:
        values["pruned_at"] = scene.now
    return Manipulation("prunings: doubled", [filled(scene, "pruning", values)], [PRUNING])


def pruning_altered(scene: Scene) -> Manipulation | None:
    if not scene.rows["pruning"]:
        return None
    chosen = scene.chance.choice(columns_of(tables()["pruning"]))
    value = value_for(chosen, scene.chance)
    statement = set_column("pruning", scene.pk("pruning"), chosen.column, value)
    return Manipulation("prunings: altered", [statement], [PRUNING])


def pruning_deleted(scene: Scene) -> Manipulation | None:
    if not scene.rows["pruning"]:
        return None
    statement = f"DELETE FROM {PRUNING} WHERE id = {scene.pk('pruning')}"
    return Manipulation("prunings: deleted", [statement], [PRUNING])


# --- verifications --------------------------------------------------------------------------------


def verification_forged(scene: Scene) -> Manipulation:
    """It says that all is proven, as of now or for ever."""
    at = scene.chance.choice([scene.now, moment("2099-01-01 00:00:00+00:00")])
    values = {
        "started_at": at,
        "finished_at": at,
        "is_proven": "true",
        "seals": str(SHOWN),
        "items": str(SHOWN),
        "last_seal": str(SHOWN),
        "finding": "''",
        "signature": quoted(signature(scene, "0" * 64)),
    }
    return Manipulation(
        "verifications: forged", [filled(scene, "verification", values)], [VERIFICATION]
    )


def verification_doubled(scene: Scene) -> Manipulation | None:
    """One that was true once is told again, or later than it was."""
    if not scene.rows["verification"]:
        return None
    row = scene.rows["verification"][scene.pk("verification")]
    values = {name: literal(value) for name, value in row.items() if name != "id"}
    if scene.chance.random() < 0.5:
        values["started_at"] = values["finished_at"] = scene.now
    statement = filled(scene, "verification", values)
    return Manipulation("verifications: doubled", [statement], [VERIFICATION])


def verification_altered(scene: Scene) -> Manipulation | None:
    if not scene.rows["verification"]:
        return None
    chosen = scene.chance.choice(columns_of(tables()["verification"]))
    value = value_for(chosen, scene.chance)
    statement = set_column("verification", scene.pk("verification"), chosen.column, value)
    return Manipulation("verifications: altered", [statement], [VERIFICATION])


def verification_deleted(scene: Scene) -> Manipulation | None:
    if not scene.rows["verification"]:
        return None
    pk = scene.pk("verification")
    statement = f"DELETE FROM {VERIFICATION} WHERE id {scene.chance.choice(['=', '>='])} {pk}"
    return Manipulation("verifications: deleted", [statement], [VERIFICATION])


WAYS: dict[Way, int] = {
    seal_column: 4,
    seal_text: 3,
    seals_swapped: 2,
    seals_removed: 3,
    seals_cut_off: 3,
    seal_forged: 6,
    pruning_forged: 6,
    pruning_doubled: 2,
    pruning_altered: 2,
    pruning_deleted: 2,
    verification_forged: 3,
    verification_doubled: 2,
    verification_altered: 2,
    verification_deleted: 2,
}
