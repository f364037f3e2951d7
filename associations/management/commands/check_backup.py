from io import StringIO
from pathlib import Path
from typing import Any

from django.core.management import call_command
from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db import Error as DBError

from associations.audit.backups import folders, proving
from associations.audit.backups.folders import BackupError, Manifest
from associations.audit.integrity import processes
from hubadmin import __version__
from hubadmin.web.readiness import missing_migrations


class Command(BaseCommand):
    help = (
        "Prove a backup: compare its files to its manifest, restore it aside, verify its log, and "
        "count. On PostgreSQL as a role that may make databases. Exit code 0: proven; 1: not."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("folder", type=Path, metavar="FOLDER", help="as `backup` has made it")
        processes.add_option(parser)

    def handle(self, *args: Any, folder: Path, processes: int, **options: Any) -> None:
        self.folder, self.processes = folder, processes
        try:
            manifest = Manifest.read(folder)
            self.refuse_if(manifest.changed_files(folder))
            if not manifest.is_of(folder):
                at = f"{manifest.taken_at:%Y-%m-%d %H:%M:%S} UTC"
                raise BackupError(f"{folder} has another name than a backup of {at}, as it says.")
            with proving.restored(folder, manifest):
                told = self.verify(manifest)
        except BackupError as error:
            raise CommandError(f"NOT PROVEN. {error}") from error
        except DBError as error:
            why = " ".join(str(error).split())
            raise CommandError(f"NOT PROVEN. The database refused: {why}") from error
        self.stdout.write(self.proven(manifest))
        self.stdout.write(told)
        try:
            folders.note_proof(folder)
        except OSError as error:
            self.stdout.write(
                f"That is not noted in {folder}, so --keep does not know of it: {error.strerror}."
            )

    def refuse_if(self, findings: list[str]) -> None:
        if findings:
            raise BackupError(" ".join([f"{self.folder}:", *findings]))

    def verify(self, manifest: Manifest) -> str:
        """Return what verify_audit_log says of the copy. Raises BackupError."""
        if missing := missing_migrations():
            raise BackupError(
                f"{self.folder} is of version {manifest.version}, whose tables are not those of "
                f"{__version__} ({', '.join(missing)}). Check it with the version that it is of."
            )
        findings, said = proving.differences(manifest), StringIO()
        heads = [manifest.contents.head] if manifest.contents.head else []
        try:
            call_command(
                "verify_audit_log",
                head=heads,
                as_of=manifest.taken_at,
                processes=self.processes,
                stdout=said,
            )
        except CommandError as error:
            findings.append(str(error))
        self.refuse_if(findings)
        return said.getvalue().strip()

    def proven(self, manifest: Manifest) -> str:
        held = manifest.contents
        sealed = f"unaltered up to seal {held.seal}" if held.seal else "and has no seal yet"
        return (
            f"Proven: {self.folder} restores to the log of {manifest.taken_at:%Y-%m-%d %H:%M:%S} "
            f"UTC, whole with its {held.entries} entries, {sealed}."
        )
