"""The log is made, people are erased, and all that must hold is looked for, and told."""

import argparse
import random
import re
import subprocess
import sys
import time
from collections.abc import Iterable
from pathlib import Path

from django.conf import settings
from django.db import connection
from django.test import override_settings

from associations.audit.integrity.signing import own_key
from associations.gateway import rate_limiter
from associations.models import AssociationRequest, AuditErasure, BulkRow, RecordNames
from tests.faults.erased.people import Log, Person, people
from tests.faults.erased.places import bytes_of_the_database, bytes_of_the_write_ahead_log
from tests.faults.erased.searching import Needles, found_by_dictionary, of_files
from tests.faults.log.making import DAY, SECOND, Clock, command
from tests.support import SignedInClient, person

VERIFY_EXPORT = settings.BASE_DIR / "associations" / "audit" / "integrity" / "verify_export.py"
FILES = ("/audit/export.jsonl", "/audit/export.csv", "/audit/integrity/seals.jsonl")
SALTS_TRIED = 200
PATIENT = {f"SSO_{name}_SECONDS": 10**9 for name in ("SESSION", "IDLE", "RECHECK")}


class Campaign:
    def __init__(self, options: argparse.Namespace, folder: Path, cluster: Path | None) -> None:
        self.entries, self.folder, self.cluster = options.entries, folder, cluster
        self.is_well, self._start = True, time.monotonic()
        self.clock, chance = Clock(), random.Random(options.seed)
        everybody = people(chance, max(options.people * 5, options.entries // 10))
        self.gone = chance.sample(everybody, options.people)
        self.log = Log(person("admin"), self.clock, chance, everybody)

    def run(self) -> bool:
        """Return whether all is as it has to be."""
        try:
            with self.clock.set(), override_settings(**PATIENT):
                self.make()
                self.erase()
                self.prove()
                self.attack()
                self.prune()
        finally:
            rate_limiter.close()
        return self.is_well

    def tell(self, what: str, *, holds: bool = True) -> None:
        self.is_well &= holds
        passed = time.monotonic() - self._start
        print(f"{'ok   ' if holds else 'WRONG'} {passed:6.1f} s  {what}", flush=True)

    def command(self, *arguments: str) -> str:
        code, said = command(*arguments)
        self.tell(f"{arguments[0]}: {' '.join(said.split())[:180]}", holds=code == 0)
        return said

    # --- before -----------------------------------------------------------------------------------

    def make(self) -> None:
        self.log.make(self.entries)
        of_them = {*self.gone}
        self.erased = [side for side in self.log.sides if side.person in of_them]
        self.kept = [side for side in self.log.sides if side.person not in of_them]
        self.needles = Needles([e.word for e in self.gone] + [side.salt for side in self.erased])
        self.tell(f"{self.entries} entries about {len(self.log.people)} records, sealed")
        if connection.vendor == "postgresql":
            with connection.cursor() as cursor:
                cursor.execute("ANALYZE")  # as it does by itself: it remembers values
        self.command("verify_audit_log")
        found = self.needles.found_in(bytes_of_the_database(self.cluster))
        told = f"values of them found in the database before: {len(found)}"
        self.tell(f"{told} of {len(self.needles.values)}", holds=found == self.needles.values)

    # --- erased -----------------------------------------------------------------------------------

    def erase(self) -> None:
        for number, each in enumerate(self.gone):
            self.clock.forward(20 * SECOND)
            self.erase_one(each, number)
        rows = AuditErasure.objects.count()
        self.tell(f"{rows} people erased, {len(self.erased)} names", holds=rows == len(self.gone))
        wrong = self.wrongly_kept_or_gone()
        self.tell(f"names kept or gone that should not be: {len(wrong)}", holds=not wrong)
        cells = BulkRow.objects.exclude(cells={}).count()
        wanted = sum(n % 2 and each not in self.gone for n, each in enumerate(self.log.people, 1))
        self.tell(f"cells of files left: {cells} of {wanted}", holds=cells == wanted)

    def erase_one(self, each: Person, number: int) -> None:
        """By its id, by what it is found by, by its name."""
        way = [[each.object_type, each.object_id], [each.typed], [each.name]][number % 3]
        code, said = command("erase_person", *way)
        if code or f"{each.object_type} {each.object_id}" not in said:
            self.tell(f"erase_person {way}: {said}", holds=False)

    def wrongly_kept_or_gone(self) -> list[int]:
        rows = RecordNames.objects.values_list("pk", "from_salt", "to_salt")
        there = {(pk, salt) for pk, *salts in rows for salt in salts}
        wrong = [each.entry for each in self.erased if (each.entry, each.salt) in there]
        return wrong + [each.entry for each in self.kept if (each.entry, each.salt) not in there]

    def prove(self) -> None:
        """That nothing of them is there, and all of the others is proven."""
        self.command("verify_audit_log")
        self.search("the database", bytes_of_the_database(self.cluster))
        if self.cluster:
            found = self.needles.found_in(bytes_of_the_write_ahead_log(self.cluster))
            self.tell(f"out of reach, PostgreSQL's write-ahead log: {len(found)} values")
        client, files = SignedInClient(person("admin")), []
        for path in FILES:
            files.append(self.folder / path.rpartition("/")[2])
            files[-1].write_bytes(b"".join(client.get(path).streaming_content))
            self.search(files[-1].name, of_files(files[-1:]))
        told = files[0].read_text()
        missing = {side.salt for side in self.kept} - {*re.findall("[0-9a-f]{32}", told)}
        self.tell(f"names of others that the export lacks: {len(missing)}", holds=not missing)
        self.verify_export(files[0], files[2])

    def search(self, where: str, data: Iterable[bytes]) -> None:
        found = self.needles.found_in(data)
        shown = f": {sorted(found)[:5]}" if found else ""
        self.tell(f"values of them found in {where}: {len(found)}{shown}", holds=not found)

    def verify_export(self, *files: Path) -> None:
        arguments = [sys.executable, "-I", str(VERIFY_EXPORT), own_key().text, *map(str, files)]
        done = subprocess.run(arguments, capture_output=True, text=True)
        last = (done.stdout + done.stderr).splitlines()[-1]
        names = " ".join(each.name for each in files)
        self.tell(f"verify_export.py {names}: {last}", holds=done.returncode == 0)

    def attack(self) -> None:
        """By every name and address that there ever was, and by those that are left alone."""
        pairs = {(side.name, side.person.typed) for side in self.log.sides}
        digests = {side.digest for side in self.erased}
        salts = [side.salt for side in self.kept[:SALTS_TRIED]]
        found = found_by_dictionary(digests, pairs, salts)
        tried = f"{len(pairs)} people, no salt and {len(salts)} others"
        self.tell(f"digests a dictionary opens ({tried}): {len(found)}", holds=not found)
        some = self.erased[:SALTS_TRIED]
        opened = [
            found_by_dictionary({each.digest}, [(each.name, each.typed)], [each.salt])
            for each in some
        ]
        told = f"and with the salts that went: {sum(map(len, opened))} of {len(some)}"
        self.tell(told, holds=all(opened))

    # --- afterwards -------------------------------------------------------------------------------

    def prune(self) -> None:
        self.clock.forward(DAY)
        file, before = self.folder / "archive.jsonl", AssociationRequest.objects.count()
        self.command("prune_audit_log", "--older-than", "10d", "--archive", str(file))
        left = AssociationRequest.objects.count()
        self.tell(f"entries that stay: {left} of {before}", holds=0 < left < before)
        self.command("verify_audit_log", "--archive", str(file))
        self.verify_export(file)
        self.search(file.name, of_files([file]))
        self.command("verify_audit_log")
        self.search("the database", bytes_of_the_database(self.cluster))
