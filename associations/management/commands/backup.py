from pathlib import Path
from typing import Any

from django.core.checks import Tags
from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db import DEFAULT_DB_ALIAS
from django.db import Error as DBError

from associations.audit.backups import taking
from associations.audit.backups.folders import BackupError
from associations.audit.integrity.processes import at_least_one


class Command(BaseCommand):
    help = (
        "Make DIR/hubadmin-<time>/: the database, the head of its newest seal and a manifest, "
        "while others write. As the owner of the tables. Exit codes: 0 made; 1 it failed; 3 no "
        "pg_dump, or an older one than the server; 4 the role may not read all; 5 no room; 6 "
        "others may write to DIR."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument(
            "place", type=Path, metavar="DIR", help="a folder of this account's own"
        )
        parser.add_argument(
            "--keep",
            type=at_least_one,
            metavar="N",
            help="then remove older ones, but for the newest N and the newest that was proven",
        )

    def handle(self, *args: Any, place: Path, keep: int | None, **options: Any) -> None:
        try:
            taking.check_rights()
            # As `migrate` does: the owner runs nothing that somebody else has planted.
            self.check(tags=[Tags.database], databases=[DEFAULT_DB_ALIAS])
            folder, manifest = taking.take(place)
            held = manifest.contents
            sealed = (
                f"up to seal {held.seal}\nhead {held.head}" if held.seal else "with no seal yet"
            )
            self.stdout.write(f"{folder}: {held.entries} entries, {sealed}")
            if keep:
                for name in taking.remove_older(place, keep):
                    self.stdout.write(f"Removed: {name}")
        except BackupError as error:
            raise CommandError(str(error), returncode=error.code) from error
        except DBError as error:
            why = " ".join(str(error).split())
            raise CommandError(f"The database refused: {why}. There is no backup.") from error
