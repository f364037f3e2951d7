"""Prove lines of the audit log by its seals, knowing no more of them than README tells.

verify_export.py KEY[,KEY] FILE... [--complete] [--times=CA.pem]: a FILE is an export as JSON lines,
an archive or seals.jsonl; with --complete all that the seals hold has to be there, with --times
what a third party told of seals has to be signed by it. Exit code 1: not proven."""

import re
import subprocess
import sys
from base64 import b64decode
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from json import loads
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

NO_ITEMS = ("seal", "names", "end")


def demand(holds: bool, otherwise: str) -> None:
    if not holds:
        raise ValueError(otherwise)


def openssl(*arguments: str) -> str:
    command = ["openssl", "ts", *arguments]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    demand(done.returncode == 0, f"{' '.join(command[:3])} says no: {done.stderr}")
    return done.stdout


def signed_time(told: dict[str, Any], authorities: str) -> datetime:
    """When a third party has seen a head, by a token that one of these authorities signed."""
    with TemporaryDirectory() as folder:
        file = Path(folder) / "token.tsr"
        file.write_bytes(b64decode(told["token"]))
        shown = openssl("-reply", "-in", str(file), "-text")
        [moment] = re.findall(r"^Time stamp: (.*?)(?:\.\d+)?( \d{4}) GMT$", shown, re.M)
        at = datetime.strptime("".join(moment), "%b %d %H:%M:%S %Y").replace(tzinfo=UTC)
        then = ["-attime", f"{at.timestamp():.0f}"]  # certificates have to be valid then, not now
        digest = ["-digest", told["head"], "-CAfile", authorities]
        openssl("-verify", "-in", str(file), *digest, *then)
        return at


def check_times(times: list[dict[str, Any]], seals: dict[int, Any], authorities: str) -> None:
    for told in times:
        seal = seals.get(told["seal"])
        demand(not seal or seal["head"] == told["head"], f"seal {told['seal']} was rewritten")
        if authorities:
            at = signed_time(told, authorities)
            sealed_at = datetime.fromisoformat(seal["sealed_at"]) if seal else at
            demand(sealed_at < at + timedelta(hours=1), f"seal {told['seal']} was dated ahead")
            print(f"seal {told['seal']}: a third party knew it on {at:%Y-%m-%d %H:%M:%S} UTC")
    if times and not authorities:
        print(f"Times that a third party told: {len(times)}; --times=CA.pem proves them")


def main(keys: str, *files: str, complete: bool, authorities: str) -> None:
    known = {sha256(key).hexdigest()[:16]: key for key in map(b64decode, keys.split(","))}
    items, sealed = dict[tuple[str, int], set[str]](), dict[tuple[str, int], set[str]]()
    seals, free, head = dict[int, dict[str, str]](), dict[str, list[list[int]]](), ""
    entries, names = dict[int, dict[str, str]](), list[dict[str, str]]()
    times = list[dict[str, Any]]()
    for file in files:
        *lines, rest = Path(file).read_bytes().split(b"\n")
        told = [loads(line) for line in lines]
        count = next((each["lines"] for each in told if each["kind"] == "end"), None)
        held = [p for p in zip(told, lines, strict=True) if p[0]["kind"] not in NO_ITEMS]
        is_whole = not held if count is None else count == len(told) - 1
        demand(not rest and is_whole, f"{file} is not whole")
        seals |= {each["number"]: each for each in told if each["kind"] == "seal"}
        names += [each for each in told if each["kind"] == "names"]
        times += [each for each in told if each["kind"] == "timestamp"]
        for each, line in held:
            if each["kind"] == "entry":
                entries[each["id"]] = each
            items.setdefault((each["kind"], each["id"]), set()).add(sha256(line).hexdigest())
    for number, seal in sorted(seals.items()):
        title, *parts = [row.split(" ") for row in seal["manifest"].splitlines()]
        said, text, free = dict(parts[:4]), seal["manifest"].encode(), {}
        is_right = title in (["hubadmin-seal", "1"], ["hubadmin-seal", "2"])
        is_right &= said["number"] == str(number)
        is_right &= sha256(text).hexdigest() == seal["head"] and said["key"] in known
        demand(is_right, f"seal {number} was altered, or signed with the key {said['key']}")
        key = Ed25519PublicKey.from_public_bytes(known[said["key"]])
        key.verify(b64decode(seal["signature"]), seal["head"].encode())
        before = head or (said["previous"] if number > 1 else "0" * 64)
        demand(said["previous"] == before, f"seal {number} does not follow the one before it")
        for word, kind, *values in parts[4:]:
            if word in ("covers", "waiting"):
                ranges = [f"{int(values[0]) + 1}-{2**63}"] if word == "covers" else values
                free.setdefault(kind, []).extend([int(n) for n in r.split("-")] for r in ranges)
            else:
                sealed[word, int(kind)] = {values[0]}
        head = seal["head"]
    for (kind, pk), digests in sorted(items.items()):
        was_free = any(r[0] <= pk <= r[-1] for r in free.get(kind, [[1, 2**63]]))  # else inserted
        proof = sealed.get((kind, pk), digests if was_free else None)
        demand(digests == proof, f"{kind} {pk} was altered or inserted")
        print(f"{kind} {pk}: {'proven' if (kind, pk) in sealed else 'in no seal'}")
    sides = [(pk, side) for pk in entries for side in ("from", "to")]
    untold = {(pk, side) for pk, side in sides if entries[pk].get(f"{side}_name_digest")}
    for each in names:
        entry = entries.get(int(each["entry"]), {})
        for side in ("from", "to"):
            opened = "\n".join(each.get(f"{side}_{part}", "") for part in ("salt", "name", "typed"))
            if opened != "\n\n":
                is_right = sha256(opened.encode()).hexdigest() == entry.get(f"{side}_name_digest")
                demand(is_right, f"the names of entry {each['entry']} were altered")
                untold.discard((int(each["entry"]), side))
    for pk, side in sorted(untold):
        print(f"entry {pk}: its name under {side} is not there: erased, unreadable or left out")
    check_times(times, seals, authorities)
    demand(not complete or items.keys() >= sealed.keys(), f"missing {sealed.keys() - items.keys()}")
    print(f"Proven by seals {min(seals)} to {max(seals)}, head {head}")


options = dict(each.partition("=")[::2] for each in sys.argv[1:] if each.startswith("--"))
main(
    *[each for each in sys.argv[1:] if not each.startswith("--")],
    complete="--complete" in options,
    authorities=options.get("--times", ""),
)
