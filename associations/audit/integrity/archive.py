"""The file that a pruned part of the log goes to: lines of JSON, which verify by themselves.

A line is a seal (`kind` "seal"), followed by the canonical lines of what it holds, and by the names
that open the digests of its entries (`kind` "names"); the last one is
`{"kind":"end","lines":N,"sha256":...}` with the SHA-256 of all bytes before it.
"""

import hashlib
import json
import os
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from django.utils.dateparse import parse_datetime

from associations.audit.durable_files import sync
from associations.audit.integrity import signing
from associations.audit.integrity.chain_verification import TamperedError, check_seal
from associations.audit.integrity.manifest import read
from associations.audit.integrity.names import PARTS, is_opened_by, name_lines
from associations.audit.integrity.serialization import KINDS, each_line, format_moment
from associations.hubspot.record_references import SIDES
from associations.models import AuditSeal


def seal_line(seal: AuditSeal) -> str:
    fields = {
        "kind": "seal",
        "number": seal.number,
        "sealed_at": format_moment(seal.sealed_at),
        "manifest": seal.manifest,
        "head": seal.head,
        "signature": seal.signature,
    }
    return json.dumps(fields, sort_keys=True, separators=(",", ":"), ensure_ascii=False)


def lines_to_archive(seals: Iterable[AuditSeal]) -> Iterator[str]:
    for seal in seals:
        yield seal_line(seal)
        manifest = read(seal.manifest)
        for kind in KINDS:
            yield from (line for _, line in each_line(kind, manifest.ids(kind)))
        yield from name_lines(manifest.ids("entry")).values()


def write_archive(path: Path, seals: Iterable[AuditSeal]) -> str:
    """Write the archive, down to the disk; return its SHA-256. An existing file is an error."""
    whole, count = hashlib.sha256(), 0
    with path.open("xb") as file:
        for line in lines_to_archive(seals):
            data = f"{line}\n".encode()
            whole.update(data)
            file.write(data)
            count += 1
        end = {"kind": "end", "lines": count, "sha256": whole.hexdigest()}
        data = json.dumps(end, separators=(",", ":")).encode() + b"\n"
        whole.update(data)
        file.write(data)
        file.flush()
        os.fsync(file.fileno())
    sync(path.absolute().parent)  # before anything is taken out of the log
    return whole.hexdigest()


def verify_archive(path: Path) -> tuple[int, int]:
    """Prove an archive by itself; return how many seals and items it has.

    Raises TamperedError, and OSError if it cannot be read.
    """
    whole, trusted = hashlib.sha256(), signing.trusted_keys()
    seals = items = count = 0
    before: AuditSeal | None = None
    awaited: dict[tuple[str, int], str] = {}
    entries: dict[str, dict[str, Any]] = {}  # of the last seal, by id
    end = None
    with path.open("rb") as file:
        for data in file:
            if end is not None:
                raise TamperedError("Something follows the archive's last line.")
            record = _record(data, count + 1)
            if record["kind"] == "end":
                end = record
                continue
            whole.update(data)
            count += 1
            if record["kind"] == "seal":
                _check_none_left(awaited)
                before, awaited = _next_seal(record, before, trusted)
                seals, entries = seals + 1, {}
            elif record["kind"] == "names":
                _check_names(record, entries)
            else:
                if record["kind"] == "entry":
                    entries[str(record.get("id"))] = record
                _check_item(record, data, awaited)
                items += 1
    _check_none_left(awaited)
    if end is None or (end.get("lines"), end.get("sha256")) != (count, whole.hexdigest()):
        raise TamperedError("The archive is not whole: its last line does not fit the others.")
    return seals, items


def names_left_out(path: Path) -> int:
    """Return how many names a proven archive has not, though its entries hold their digests."""
    left = 0
    with path.open("rb") as file:
        for number, data in enumerate(file, start=1):
            record = _record(data, number)
            if record["kind"] == "entry":
                left += sum(bool(record.get(f"{side}_name_digest")) for side in SIDES)
            elif record["kind"] == "names":
                columns = [[f"{side}_{part}" for part in PARTS] for side in SIDES]
                left -= sum(any(map(record.get, each)) for each in columns)
    return left


def _record(data: bytes, number: int) -> dict[str, Any]:
    try:
        record = json.loads(data.decode())
    except (ValueError, RecursionError):
        record = None
    if not isinstance(record, dict) or not isinstance(record.get("kind"), str):
        raise TamperedError(f"Line {number} of the archive cannot be read.")
    return record


def _next_seal(
    record: dict[str, Any], before: AuditSeal | None, trusted: Mapping[str, signing.PublicKey]
) -> tuple[AuditSeal, dict[tuple[str, int], str]]:
    fields = {name: record.get(name) for name in ("number", "manifest", "head", "signature")}
    try:
        fields["sealed_at"] = parse_datetime(record["sealed_at"])
        seal = AuditSeal(**fields)
        manifest = check_seal(seal, trusted)
    except (KeyError, TypeError, AttributeError, ValueError):
        raise TamperedError("A seal of the archive cannot be read.") from None
    if before and (manifest.number, manifest.previous) != (before.number + 1, before.head):
        raise TamperedError(f"Seal {seal.number} does not follow seal {before.number}.")
    return seal, {(kind, pk): sha256 for kind, pk, sha256 in manifest.items}


def _check_item(record: dict[str, Any], data: bytes, awaited: dict[tuple[str, int], str]) -> None:
    kind, pk = record["kind"], record.get("id")
    sha256 = awaited.pop((kind, pk), None) if isinstance(pk, int) else None
    if sha256 is None:
        raise TamperedError(f"The {kind} {pk} is in none of the archive's seals.")
    if hashlib.sha256(data.removesuffix(b"\n")).hexdigest() != sha256:
        raise TamperedError(f"The {kind} {pk} was altered in the archive.")


def _check_names(record: dict[str, Any], entries: dict[str, dict[str, Any]]) -> None:
    entry = entries.pop(str(record.get("entry")), None)  # one line for each
    if entry is None or not all(is_opened_by(entry, side, record) for side in SIDES):
        raise TamperedError(
            f"The names of entry {record.get('entry')} were altered in the archive."
        )


def _check_none_left(awaited: dict[tuple[str, int], str]) -> None:
    for kind, pk in awaited:
        raise TamperedError(f"The {kind} {pk} is missing in the archive.")
