import logging
import signal
from concurrent.futures.process import BrokenProcessPool
from typing import Any

from django.core.management.base import CommandError, CommandParser
from django.db import Error as DBError

from associations.audit.integrity import id_ranges, processes
from associations.audit.integrity.candidates import told_unreadable
from associations.audit.integrity.chain_verification import TamperedError
from associations.audit.integrity.heads_file import HeadsFile
from associations.audit.integrity.manifest import ManifestError
from associations.audit.integrity.processes import ENDED
from associations.audit.integrity.sealing import Unreadable, seal_for_ever, seal_log
from associations.audit.integrity.signing import SigningKeyError, own_key
from associations.audit.integrity.stamping import Stamping
from associations.audit.recorder import look_after_log
from associations.management.service import ServiceCommand
from associations.notices.service import telling_as_sealer
from hubadmin import startup

logger = logging.getLogger(__name__)


class Command(ServiceCommand):
    help = "Seal what has been closed in the audit log since the last seal."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument(
            "--every", type=float, metavar="SECONDS", help="go on until SIGINT or SIGTERM"
        )
        processes.add_option(parser)

    def handle(self, *args: Any, every: float | None, processes: int, **options: Any) -> None:
        if found := startup.problems(is_serving=False):
            raise CommandError(startup.refusal("The sealer", found))
        self.processes = processes
        try:
            own_key()
            if every is not None:
                self.go_on(every)
            else:
                self.seal_once()
        except SigningKeyError as error:
            raise CommandError(str(error)) from error
        except (ManifestError, TamperedError) as error:
            raise CommandError(f"{error} Run verify_audit_log.") from error
        except BrokenProcessPool as error:
            raise CommandError(
                f"{ENDED} What was not sealed now waits for the next time."
            ) from error
        except DBError as error:
            raise CommandError(
                f"The database refused: {error}. What was not sealed now waits for the next time; "
                "verify_audit_log tells whether somebody has planted something."
            ) from error

    def seal_once(self) -> None:
        look_after_log()
        seals, unreadable = 0, Unreadable()
        for seal in seal_log(unreadable, processes=self.processes):
            self.stdout.write(f"seal {seal.number}\t{seal.head}")
            seals += 1
        HeadsFile().keep()
        if why := Stamping().go_on():
            self.stderr.write(f"No third party's time on the seals now: {why}.")
        if unreadable:
            names = [
                f"{kind} {pk}" for kind, ids in unreadable.items() for pk in id_ranges.each(ids)
            ]
            raise CommandError(told_unreadable(names))
        if not seals:
            self.stdout.write("Nothing is left to seal.")

    def go_on(self, seconds: float) -> None:
        if seconds <= 0:
            raise CommandError("--every takes a number of seconds greater than 0.")
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, signal.default_int_handler)
        logger.info("the sealer starts", extra=startup.VERSION)
        try:
            with telling_as_sealer():
                seal_for_ever(seconds, before_each=look_after_log, processes=self.processes)
        except KeyboardInterrupt:
            self.stdout.write("Sealing has ended.")
