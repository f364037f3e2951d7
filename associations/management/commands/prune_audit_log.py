import re
from argparse import ArgumentTypeError
from datetime import timedelta
from pathlib import Path
from typing import Any

from django.core.checks import Tags
from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db import DEFAULT_DB_ALIAS, DatabaseError
from django.utils import timezone

from associations.audit.integrity import pruning
from associations.audit.integrity.chain_verification import TamperedError
from associations.audit.integrity.signing import SigningKeyError, own_key
from associations.models import AuditSeal


def age(text: str) -> timedelta:
    """`400d`: so many days."""
    if not re.fullmatch(r"[1-9][0-9]{0,4}d", text, re.ASCII):
        raise ArgumentTypeError(f"{text!r} is no age; write days, such as 400d")
    return timedelta(days=int(text[:-1]))


class Command(BaseCommand):
    help = (
        "Take the oldest part of the audit log out: whole seals, archived to a file that verifies "
        "by itself. Run it as the owner of the tables, when few people are at work."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--older-than", type=age, required=True, metavar="DAYSd")
        parser.add_argument(
            "--archive", type=Path, metavar="FILE", help="default: audit-log-to-seal-N.jsonl"
        )
        parser.add_argument("--dry-run", action="store_true", help="say what would go; do nothing")

    def handle(
        self, *args: Any, older_than: timedelta, archive: Path | None, dry_run: bool, **options: Any
    ) -> None:
        # As `migrate` does: the owner runs nothing that somebody else has planted.
        self.check(tags=[Tags.database], databases=[DEFAULT_DB_ALIAS])
        try:
            own_key()
            last = pruning.last_seal_before(timezone.now() - older_than)
            path = archive or Path(f"audit-log-to-seal-{last.number}.jsonl")
            if dry_run:
                self.tell_what_would_go(last, path)
            else:
                self.prune(last, path)
        except pruning.NothingToPruneError:
            self.stdout.write(f"No seal is older than {older_than.days} days. Nothing to prune.")
        except (SigningKeyError, TamperedError) as error:
            raise CommandError(str(error)) from error
        except FileExistsError:
            raise CommandError(
                f"{path} exists already; name another file with --archive."
            ) from None
        except OSError as error:
            raise CommandError(f"{path} cannot be written: {error.strerror}.") from error
        except DatabaseError as error:
            raise CommandError(
                f"The database refused: {error}. Are you the owner? Nothing was taken out; if "
                "there is an archive of this run, delete it before the next."
            ) from error

    def tell_what_would_go(self, last: AuditSeal, path: Path) -> None:
        items = pruning.items_up_to(last)
        self.stdout.write(
            f"Would archive to {path} and take out all up to seal {last.number} of "
            f"{last.sealed_at:%Y-%m-%d %H:%M} UTC: about {items} items. Nothing was done."
        )

    def prune(self, last: AuditSeal, path: Path) -> None:
        sha256, seals, items = pruning.write_archive(path, last)
        self.stdout.write(f"{path}: {seals} seals, {items} items, proven; SHA-256 {sha256}")
        done = pruning.prune(last, path.name, sha256)
        self.stdout.write(
            f"{done} items taken out, and that was sealed. Keep the archive where nobody can "
            "change it."
        )
