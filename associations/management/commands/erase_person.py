from typing import Any

from django.core.checks import Tags
from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db import DEFAULT_DB_ALIAS, DatabaseError

from associations.audit.integrity import erasing
from associations.audit.integrity.chain_verification import TamperedError
from associations.audit.integrity.signing import SigningKeyError
from associations.hubspot.record_references import RecordIdError, read_reference
from hubadmin.web.command_line import account

OUT_OF_REACH = """\
Out of reach of this command: exports, archives and backups taken before; replicas, and PostgreSQL's
write-ahead log until it is recycled; HubSpot itself; names that somebody gave a file, and what an
export was asked for by other words than a name. Running servers remember names for 5 minutes,
workers those of the file that they read last, and what somebody has typed and not sent stands in
their session until that ends."""
KEPT_OUT = """\
Nothing of that comes into the log: for a day it keeps no name of these records, whatever page or
server hands one on, and a run that was begun before keeps none at all."""
NOTHING = """\
The log keeps nothing that was found by this. Nothing was done. If an erasure was cut off before, it
may lack that the bytes are overwritten: run it by the record, such as: erase_person contact 501"""


def shown_of(ids: list[int]) -> str:
    more = ["…"] if len(ids) > erasing.SHOWN else []
    return ", ".join([*map(str, ids[: erasing.SHOWN]), *more])


class Command(BaseCommand):
    help = (
        "Take the names of a record (and the e-mail address or domain that found it) out of the "
        "audit log; every proof still holds. Run it as the owner of the tables."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument(
            "who", nargs="+", help="a record, such as: contact 501; or an e-mail address or domain"
        )
        parser.add_argument("--dry-run", action="store_true", help="say what would go; do nothing")

    def handle(self, *args: Any, who: list[str], dry_run: bool, **options: Any) -> None:
        # As `migrate` does: the owner runs nothing that somebody else has planted.
        self.check(tags=[Tags.database], databases=[DEFAULT_DB_ALIAS])
        try:
            records, text = self.read(" ".join(who))
            found = erasing.plan(records, text)
        except DatabaseError as error:
            raise CommandError(f"The database refused: {error}. Nothing was erased.") from error
        if not (records or found.rows or erasing.forget_files(found.texts, is_dry=True)):
            raise CommandError(NOTHING)
        if dry_run:
            self.tell(found, "Would erase")
            self.stdout.write("Nothing was done.")
            return
        self.erase(records, text)

    def read(self, text: str) -> tuple[list[erasing.Record], str]:
        """Return the records that are meant, and by what they were found if that is no id."""
        try:
            reference = read_reference(text)
        except RecordIdError:
            return erasing.records_found_by(text), text
        if reference.object_type is None:
            raise CommandError(f"Of which type is record {text}? Write it, such as: contact {text}")
        return [(reference.object_type.canonical, reference.object_id)], ""

    def erase(self, records: list[erasing.Record], text: str) -> None:
        try:
            found = erasing.erase(records, account(), text)
        except (SigningKeyError, TamperedError) as error:
            raise CommandError(f"{error} Nothing was erased.") from error
        except DatabaseError as error:
            raise CommandError(
                f"The database refused: {error}. Are you the owner? Nothing was erased."
            ) from error
        self.tell(found, "Erased")
        try:
            erasing.forget_files(found.texts)
            erasing.overwrite()
        except DatabaseError as error:
            again = " ".join(found.records[0]) if found.records else "contact 501"
            raise CommandError(
                f"It is erased, but the database may still have the bytes: {error}. Stop the "
                f"servers and run this: erase_person {again}"
            ) from error
        sealed = "That was sealed, and the" if found.is_logged else "The"
        self.stdout.write(f"{sealed} bytes are overwritten.")
        self.stdout.write(OUT_OF_REACH)
        if found.is_logged:
            self.stdout.write(KEPT_OUT)

    def tell(self, found: erasing.Erasure, what: str) -> None:
        entries = {pk for ids in found.entries.values() for pk in ids}
        names = ", ".join(" ".join(record) for record in found.records) or "nobody with an id"
        self.stdout.write(
            f"{what} {found.names} names in {len(entries)} entries, and what {len(found.rows)} "
            f"rows of files say; of {names}."
        )
        if reasons := sorted({*erasing.reasons_with(found.texts)}):
            self.stdout.write(
                f"Somebody wrote the name into the reason of entries {shown_of(reasons)}. Reasons "
                "are sealed as they stand: they go by pruning alone."
            )
        if runs := erasing.runs_with(found.texts):
            self.stdout.write(
                f"Somebody wrote it into the name or a reason of runs {shown_of(runs)}. That stays."
            )
        if reading := erasing.runs_being_read():
            self.stdout.write(
                f"The files of runs {shown_of(reading)} are still being read: if they may name the "
                "person, erase once more when they are read."
            )
