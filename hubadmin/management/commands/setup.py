import os
import sys
from getpass import getpass
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.utils.module_loading import import_string

from hubadmin.setup.questions import ALL, Question, questions, read_settings, troubles
from hubadmin.setup.site import Site, SiteError

PORTAL = "HUBSPOT_PORTAL_ID"
LATER = "Run setup again later, or add it, and most pages link to the records in HubSpot."
NEXT = "Next: the roles of PostgreSQL, migrate, units, nginx, doctor (hubadmin/deploy/README.md)."


class Command(BaseCommand):
    help = (
        "Ask what only you know, make keys and passwords, and write the files of settings. What "
        "stands there is kept. A flag or an exported variable answers before anything is asked; "
        "secrets are no flags, which every account of the machine could see, but variables such as "
        "HUBSPOT_ACCESS_TOKEN, or HUBSPOT_ACCESS_TOKEN_FILE, which stays the name of a file."
    )
    requires_system_checks = []  # there are no settings yet

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument(
            "--dir",
            type=Path,
            default="/etc/hubadmin",
            help="of owner.env, web.env, sealer.env, backup.env and, for compose, postgres.env; "
            "on SQLite of one .env instead (default: %(default)s)",
        )
        parser.add_argument(
            "--no-input",
            action="store_true",
            help="ask nothing, as where there is no terminal, and say what is missing",
        )
        what = parser.add_argument_group("once the files are there").add_mutually_exclusive_group()
        what.add_argument(
            "--roles", action="store_true", help="write PostgreSQL's roles and passwords, for psql"
        )
        what.add_argument(
            "--units", type=Path, metavar="DIR", help="write this host's units for systemd there"
        )
        what.add_argument(
            "--nginx", action="store_true", help="write this host's configuration of nginx"
        )
        for name, file in (
            ("certificate", "hubadmin.pem"),
            ("certificate-key", "private/hubadmin.key"),
        ):
            text = "for --nginx (default: %(default)s)"
            parser.add_argument(f"--{name}", default=f"/etc/ssl/{file}", metavar="FILE", help=text)
        answers = parser.add_argument_group("answers")
        for each in ALL.values():
            if each.flag:
                answers.add_argument(each.flag, metavar="…", help=_help(each))

    def handle(self, *args: Any, **options: Any) -> None:
        os.umask(0o022)  # for folders and units; a file of settings is never open to everybody
        try:
            site = Site(options["dir"])
            if options["roles"]:
                self._write_roles(site)
            elif options["nginx"]:
                text = site.nginx(options["certificate"], options["certificate_key"])
                self.stdout.write(text, ending="")
            elif options["units"]:
                self._write_units(site, options["units"])
            else:
                self._write_settings(site, options)
        except (SiteError, OSError) as error:
            raise CommandError(str(error)) from error
        except (KeyboardInterrupt, EOFError):
            raise CommandError("Ended before the last answer, so nothing was written.") from None

    def _write_roles(self, site: Site) -> None:
        if self.stdout.isatty():
            raise CommandError("It holds passwords: … setup --roles | runuser -u postgres -- psql")
        self.stdout.write(site.roles(), ending="")

    def _write_units(self, site: Site, folder: Path) -> None:
        for name, text in site.units().items():
            (folder / name).parent.mkdir(exist_ok=True)
            (folder / name).write_text(text, encoding="utf-8")
        self.stdout.write(f"The units are in {folder}. Next: systemctl daemon-reload")

    def _write_settings(self, site: Site, options: dict[str, Any]) -> None:
        answers = self._answers(site.served_by.lines, options)
        if PORTAL not in answers:
            answers = self._found() | answers
        for file, written in site.write(answers):
            kept = [name for name in file.lines if name not in written]
            for names, what in ((written, "written"), (kept, "kept as it stands there")):
                if names:
                    self.stdout.write(f"{file.path}: {', '.join(names)}: {what}")
        self.stdout.write(NEXT)

    def _found(self) -> dict[str, str]:
        """What HubSpot tells; a token that it refuses, too, is better known before serving."""
        read_settings()
        found, why_not = import_string(settings.SETUP_FINDS)()
        if why_not:
            self.stdout.write(f"! {PORTAL} is not set. {why_not} {LATER}")
        return found

    def _answers(self, kept: dict[str, str], options: dict[str, Any]) -> dict[str, str]:
        """By variables, with what is kept. Raises CommandError with all that is missing."""
        asks = sys.stdin.isatty() and not options["no_input"]
        if asks:
            self.stdout.write(
                "Enter takes what stands in brackets. Ctrl-C ends it, with nothing written."
            )
        answers, wrong = dict(kept), list[str]()
        os.environ.update(kept)
        for each in questions(answers):
            if {*each.variables} & {*kept}:
                continue
            if flag := options.get(each.name.lower()):
                os.environ[each.name] = flag
            given = self._given(each, asks)
            while (found := troubles(each, answers)) and asks:
                self.stdout.write("".join(f"! {text}\n" for text in found), ending="")
                for name in each.variables:
                    os.environ.pop(name, None)
                given = self._given(each, asks)
            answers |= given
            wrong += found
        if wrong:
            raise CommandError("Nothing was written:\n- " + "\n- ".join(dict.fromkeys(wrong)))
        return answers

    def _given(self, question: Question, asks: bool) -> dict[str, str]:
        """The answer by its variable, given before, asked now, or the default."""
        given = {each: os.environ.get(each, "").strip() for each in question.variables}
        given = {name: value for name, value in given.items() if value}
        if not given and asks:
            self.stdout.write(f"\n{question.text}.")
            ask, hint = (getpass, " (not shown)") if question.is_secret else (input, "")
            hint = f" [{question.default}]" if question.default else hint
            given = {question.name: ask(f"{question.name}{hint}: ").strip()}
        if not any(given.values()):
            given = {question.name: question.default}
        os.environ.update(given)
        return given


def _help(question: Question) -> str:
    return question.text + (f" (default: {question.default})" if question.default else "")
