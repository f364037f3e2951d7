import time
from concurrent.futures.process import BrokenProcessPool
from datetime import datetime
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db import DatabaseError
from django.db import Error as DBError
from django.utils import timezone

from associations.audit.integrity import archive, processes, triggers
from associations.audit.integrity.candidates import find_unreadable, told_unreadable
from associations.audit.integrity.chain_verification import Report, TamperedError, verify
from associations.audit.integrity.heads_file import HeadsFileError
from associations.audit.integrity.heads_file import witnesses as heads_kept
from associations.audit.integrity.names import erasures_told
from associations.audit.integrity.processes import ENDED
from associations.audit.integrity.sealing import waiting_for_a_seal
from associations.audit.integrity.signing import SigningKeyError
from associations.audit.integrity.strangers import find_strangers
from associations.audit.integrity.witnesses import Witness
from associations.audit.recorder import record_verification

PROGRESS_SECONDS = 5
COUNTED = 1_000_000
UNREADABLE = 1_000  # of each kind, looked for


class Command(BaseCommand):
    help = (
        "Prove the audit log by its seals, or name the first thing in it that was altered, "
        "removed, inserted or reordered. Exit code 0: proven; 1: not."
    )
    stealth_options = ("as_of",)  # for check_backup: the log is a copy, as old as that

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument(
            "--head",
            action="append",
            default=[],
            metavar="DIGEST",
            help="a head noted elsewhere, which must be in the log; may be given several times",
        )
        parser.add_argument(
            "--after",
            default="",
            metavar="DIGEST",
            help="go on after the seal with this head, as an interrupted run told",
        )
        parser.add_argument("--archive", type=Path, metavar="FILE", help="prove a file instead")
        processes.add_option(parser)

    def handle(
        self,
        *args: Any,
        head: list[str],
        after: str,
        archive: Path | None,
        processes: int,
        as_of: datetime | None = None,
        **options: Any,
    ) -> None:
        self.processes, self.as_of = processes, as_of
        self.report, self.started_at = Report(), timezone.now()
        self.told_at, self.heads = time.monotonic(), tuple(head)
        try:
            if archive:
                self.prove_archive(archive)
            else:
                self.prove_log(self.heads, after)
        except SigningKeyError as error:
            raise CommandError(str(error)) from error
        except BrokenProcessPool as error:
            raise CommandError(f"NOT PROVEN. {ENDED}{self.proven_so_far()}") from error
        except DBError as error:
            raise CommandError(f"NOT PROVEN. The database refused: {error}") from error
        except KeyboardInterrupt:
            raise CommandError(self.how_to_go_on()) from None

    def prove_log(self, heads: tuple[str, ...], after: str) -> None:
        kept, no_heads = self.heads_kept()  # first: the log may grow meanwhile
        try:
            self.report = verify(
                after=after,
                heads=heads,
                kept=kept,
                as_of=self.as_of,
                progress=self.progress,
                processes=self.processes,
            )
        except TamperedError as error:
            self.record(finding=str(error))
            raise CommandError(f"NOT PROVEN. {error}{self.proven_so_far()}") from None
        except LookupError:
            raise CommandError(f"No seal has the head {after}, so nothing was checked.") from None
        if missing := triggers.problems():
            finding = f"These triggers are missing or changed: {', '.join(missing)}."
            self.record(finding=finding)
            raise CommandError(f"{finding} `manage.py migrate` installs them.{self.proven()}")
        if findings := [*self.findings(), *no_heads, *self.unreadable(), *self.strangers()]:
            self.record(finding=" ".join(findings))
            raise CommandError("\n".join(["NOT PROVEN in all.", *findings, self.proven().strip()]))
        if not self.report.last and waiting_for_a_seal(1):
            raise CommandError(self.proven().strip())
        self.record()
        self.stdout.write(self.proven().strip())
        self.tell_of_heads(heads, kept)

    def heads_kept(self) -> tuple[list[Witness], list[str]]:
        """What AUDIT_HEADS_FILE knows, and why it knows nothing though it should."""
        try:
            return heads_kept(self.as_of), []
        except HeadsFileError as error:
            return [], [str(error)]

    def prove_archive(self, file: Path) -> None:
        try:
            seals, items = archive.verify_archive(file)
            left_out = archive.names_left_out(file)
        except TamperedError as error:
            raise CommandError(f"NOT PROVEN. {error}") from None
        except OSError as error:
            raise CommandError(f"{file} cannot be read: {error.strerror}.") from error
        self.stdout.write(f"Proven: {file} holds {seals} seals and {items} items, unaltered.")
        if left_out:
            self.stdout.write(
                f"Names that were sealed and are not in it: {left_out}. They were erased, or could "
                "not be read when it was taken, or were left out since."
            )

    def progress(self, report: Report) -> None:
        self.report = report
        if report.last and time.monotonic() - self.told_at >= PROGRESS_SECONDS:
            self.told_at = time.monotonic()
            self.stdout.write(
                f"seal {report.last.number}\t{report.items} items\t{report.last.head}"
            )
            self.stdout.flush()

    def findings(self) -> list[str]:
        """What is wrong beside that which is proven: the first of it, and how much more."""
        more = self.report.found - len(self.report.findings)
        return [*self.report.findings, *([f"And {more} more like these."] if more else [])]

    def unreadable(self) -> list[str]:
        names = find_unreadable(at_most=UNREADABLE)
        return [told_unreadable(names)] if names else []

    def strangers(self) -> list[str]:
        names = ", ".join(find_strangers())
        return [f"Beside hubadmin's own there act on the log: {names}."] if names else []

    def proven(self) -> str:
        report = self.report
        if not report.last:
            return " There is no seal yet, so nothing is proven; run seal_audit_log."
        text = (
            f" Proven up to seal {report.last.number} of {report.last.sealed_at:%Y-%m-%d %H:%M:%S} "
            f"UTC: {report.seals} seals, {report.items} items.\nhead {report.last.head}"
        )
        if report.pruned_to:
            text += f"\nWhat seals 1 to {report.pruned_to} held was archived and taken out."
        text += "".join(f"\n{told}" for told in erasures_told())
        text += self.times()
        if later := waiting_for_a_seal(COUNTED):
            text += f"\nClosed since, and in no seal yet: {later}."
        return text

    def times(self) -> str:
        """What a third party's times show, if there are any."""
        if not (times := self.report.times):
            return ""
        if not self.report.are_signed:
            return (
                f"\nA third party's times on the seals: {len(times)}. AUDIT_TSA_CA is not set "
                "here, so nobody has looked at their signatures."
            )
        newest = times[-1].statement
        return f"\n{newest[0].upper()}{newest[1:]}; its times on {len(times)} seals are proven."

    def proven_so_far(self) -> str:
        last = self.report.last
        return f"\nProven before that: up to seal {last.number}." if last else ""

    def tell_of_heads(self, heads: tuple[str, ...], kept: list[Witness]) -> None:
        last = self.report.last
        if last and kept:
            newest = max(each.number for each in kept)
            self.stdout.write(
                f"The log is the one that {kept[0].who} knows, up to seal {newest} at least."
            )
        if (not heads and kept) or not last:
            return
        if not heads:
            self.stdout.write(
                "Without a head noted elsewhere (--head), nothing shows whether seals were cut off "
                "after this one."
            )
            return
        newest = max(self.report.heads.values(), default=0)
        if newest < last.number:
            self.stdout.write(
                f"Seals {newest + 1} to {last.number} are later than the newest head you gave "
                f"(seal {newest})."
            )
        else:
            self.stdout.write("The newest seal is the one whose head you gave.")

    def how_to_go_on(self) -> str:
        last = self.report.last
        after = f" --after {last.head}" if last else ""
        after += "".join(f" --head {head}" for head in self.heads)
        return f"Interrupted.{self.proven_so_far()}\nGo on: manage.py verify_audit_log{after}"

    def record(self, finding: str = "") -> None:
        """Keep the result for the integrity page; it counts even if that cannot be written."""
        report = self.report
        try:
            record_verification(
                started_at=self.started_at,
                is_proven=not finding,
                seals=report.seals,
                items=report.items,
                last_seal=report.last.number if report.last else None,
                head=report.last.head if report.last else "",
                finding=finding[:500],
            )
        except DatabaseError as error:
            self.stderr.write(f"The result could not be kept for the integrity page: {error}")
