"""What the commands that link share: whose name they act in, and how they say what came of it.

On standard output stands one JSON object, for programs; on standard error a sentence, for people.
"""

import json
import logging
import os
import signal
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from enum import IntEnum
from typing import Any

from django.core.management.base import (
    BaseCommand,
    CommandParser,
    DjangoHelpFormatter,
    SystemCheckError,
)
from django.db import Error as DBError
from django.utils import translation
from django.utils.translation import get_supported_language_variant, gettext

from associations.audit.recorder import RequestMeta
from hubadmin.models import User
from hubadmin.web.access import may_act
from hubadmin.web.command_line import account, people_called

logger = logging.getLogger(__name__)


class Exit(IntEnum):
    """What a command ends with."""

    DONE = 0
    REFUSED = 1
    USAGE = 2
    NAMES_NONE = 3
    IN_DOUBT = 4
    NOT_SENT = 5
    APPROVAL = 6
    BROKEN_OFF = 7


# In English, as all of --help is.
EXIT_CODES = """\
exit codes:
  0  all is linked, or was already; of a dry run: every row could be sent
  1  HubSpot refused it, or some of it
  2  something is wrong with what was asked for: an argument, the file, its columns, --as
  3  nothing, or more than one record, is meant; of a run: rows were left out, the rest is linked
  4  perhaps linked: HubSpot did not confirm it, or did not answer
  5  not sent, or not all: a limit, the audit log, lost access; the run has paused or was canceled
  6  not started: somebody else has to approve the run
  7  broken off (Ctrl-C, SIGTERM): nothing was sent, or the run is left to the workers
Of several the one that stands first here: 2, 5, 6, 7, 4, 1, 3.
"""


class EndedError(Exception):
    """The command ends here, with a code; `facts` go into its JSON."""

    def __init__(self, code: Exit, sentence: str, **facts: Any) -> None:
        super().__init__(sentence)
        self.code, self.sentence, self.facts = code, sentence, facts


class BrokenOffError(KeyboardInterrupt):
    """A signal has asked the command to end; nobody who is at work takes it for a failure."""


class _HelpFormatter(DjangoHelpFormatter):
    """Leaves the table of exit codes as it stands."""

    def _fill_text(self, text: str, width: int, indent: str) -> str:
        return text if text == EXIT_CODES else super()._fill_text(text, width, indent)


class ActingCommand(BaseCommand):
    """A command that acts in somebody's name; act() gives the parts of its JSON object."""

    name = ""

    def create_parser(self, prog_name: str, subcommand: str, **kwargs: Any) -> CommandParser:
        kwargs |= {"epilog": EXIT_CODES, "formatter_class": _HelpFormatter}
        parser = super().create_parser(prog_name, subcommand, **kwargs)
        parser.add_argument(
            "--as",
            dest="who",
            required=True,
            metavar="WHO",
            help="in whose name: e-mail address, name or id of somebody who may use the pages",
        )
        parser.add_argument("--reason", default="", help="why, for the audit log")
        return parser

    def check(self, *args: Any, **kwargs: Any) -> None:
        try:
            super().check(*args, **kwargs)
        except SystemCheckError as error:
            error.returncode = Exit.USAGE  # 1 were HubSpot's no
            raise

    def handle(self, *args: Any, **options: Any) -> None:
        with _in_language():
            code = self._run(options)
        if code:
            sys.exit(code)

    def _run(self, options: Mapping[str, Any]) -> Exit:
        try:
            code, sentence, facts = self.act(self.person(options["who"]), options)
        except EndedError as end:
            code, sentence, facts = end.code, end.sentence, end.facts
        except DBError:
            logger.exception("the database could not be read or written")
            code, facts = Exit.IN_DOUBT, {"reason": "database"}
            sentence = gettext(
                "The database cannot be reached, so it cannot be told what became of it. Look at "
                "your requests before you try it again."
            )
        self.write({"command": self.name, "exit_code": int(code), "message": sentence} | facts)
        self.told(sentence)
        return code

    def act(self, user: User, options: Mapping[str, Any]) -> tuple[Exit, str, dict[str, Any]]:
        """Do it; return what to end with, a sentence, and facts. Raises EndedError."""
        raise NotImplementedError

    def person(self, who: str) -> User:
        """Return the one active person who is meant. Raises EndedError."""
        try:
            found = list(people_called(who, by_name=True))
        except DBError as error:
            logger.exception("the database could not be read")
            text = gettext("The database cannot be reached. Nothing was done.")
            raise EndedError(Exit.NOT_SENT, text, reason="database") from error
        if not found:
            text = gettext("Nobody called “{who}” has ever signed in. Nothing was done.")
            raise EndedError(Exit.USAGE, text.format(who=who), reason="nobody")
        if len(found) > 1:
            text = gettext(
                "“{who}” may be one of several people: name one by id. Nothing was done."
            )
            people = [{"id": each.pk, "name": each.name, "email": each.email} for each in found]
            raise EndedError(Exit.USAGE, text.format(who=who), reason="several", people=people)
        if not may_act(found[0].pk):
            text = gettext("{who} may not use this site at the moment. Nothing was done.")
            raise EndedError(Exit.USAGE, text.format(who=found[0].name), reason="may_not_act")
        return found[0]

    def meta(self) -> RequestMeta:
        """What the log says of where it came from; no browser comes without a request's id."""
        text = f"hubadmin {self.name} command, by system user {account()}"
        return RequestMeta(user_agent=text[:300])

    def told(self, sentence: str) -> None:
        self.stderr.write(sentence, self.style.NOTICE)

    def write(self, facts: Mapping[str, Any]) -> None:
        """Write a JSON object; of an iterator's values one a line, so that many take no memory."""
        plain = {name: value for name, value in facts.items() if not isinstance(value, Iterator)}
        text = json.dumps(plain, ensure_ascii=False, indent=2, default=str)
        listed = {name: value for name, value in facts.items() if name not in plain}
        if not listed:
            self.stdout.write(text)
            return
        self.stdout.write(text.removesuffix("\n}"), ending="")
        for name, values in listed.items():
            self.stdout.write(f",\n  {json.dumps(name)}: [", ending="")
            between = "\n    "
            for value in values:
                self.stdout.write(between + json.dumps(value, ensure_ascii=False), ending="")
                between = ",\n    "
            self.stdout.write("\n  ]", ending="")
        self.stdout.write("\n}")


@contextmanager
def signals_taken(handler: Callable[..., None]) -> Iterator[None]:
    """Have SIGINT, SIGTERM and SIGHUP end what goes on here by `handler`."""
    numbers = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
    before = {number: signal.signal(number, handler) for number in numbers}
    try:
        yield
    finally:
        for number, one in before.items():
            signal.signal(number, one)


def break_off(*args: object) -> None:
    """Handle a signal where nothing has been sent yet."""
    raise BrokenOffError


def broken_off() -> EndedError:
    text = gettext("Broken off. Nothing was sent.")
    return EndedError(Exit.BROKEN_OFF, text, reason="broken_off")


@contextmanager
def _in_language() -> Iterator[None]:
    """Sentences in the language of whoever runs it, as their shell says it."""
    said = next(filter(None, map(os.environ.get, ("LC_ALL", "LC_MESSAGES", "LANG"))), "")
    try:
        language = get_supported_language_variant(said.partition(".")[0].replace("_", "-").lower())
    except LookupError:
        language = "en"
    with translation.override(language):
        yield
