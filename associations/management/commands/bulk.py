import logging
import os
from collections.abc import Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any, BinaryIO

from django.conf import settings
from django.core.exceptions import ValidationError
from django.core.management.base import CommandParser
from django.db import Error as DBError
from django.db import connection
from django.template.defaultfilters import filesizeformat
from django.utils.translation import gettext

from associations.bulk import allowance, mapping, services, shutdown, tasks
from associations.bulk.exports import pairs_not_linked, rows_left_out
from associations.bulk.files.errors import FileReason
from associations.bulk.forms import NOT_KEPT, TOO_LARGE, USED_UP, ColumnsForm
from associations.bulk.labels import look_of
from associations.bulk.messages import file_sentence, stop_sentence
from associations.bulk.progress import NO_WORKER, SLOTS, waits_for
from associations.bulk.said_columns import NotUnderstoodError, meanings_said
from associations.form_fields import ReasonField
from associations.gateway.account import offered_to, type_choices
from associations.management.acting import (
    ActingCommand,
    BrokenOffError,
    EndedError,
    Exit,
    break_off,
    broken_off,
    signals_taken,
)
from associations.models import BulkRun, RunState, SendMode
from associations.models.bulk import UNDER_WAY
from associations.texts.labels import word_for
from hubadmin.models import User

logger = logging.getLogger(__name__)

PART_BYTES = 512 * 1024
LOOK_SECONDS, DATABASE_SECONDS = 0.2, 2.0
Facts = dict[str, Any]


class TooLargeError(Exception):
    """The file has more bytes than are taken; nothing of it was kept."""


class Command(ActingCommand):
    help = (
        "Link the pairs of a file as a bulk run does, in somebody's name, and wait for its end. "
        "Rows of which it is not certain which records are meant are left out, and told. No worker "
        "is needed; those that run share the work. Writes JSON."
    )
    name = "bulk"

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("file", metavar="FILE", help=".xlsx or .csv; - reads standard input")
        parser.add_argument(
            "--map",
            action="append",
            default=[],
            metavar="COLUMN=MEANING",
            help=(
                "what a column means, by its heading, number or letter: 'Contact=contact id', "
                "'B=to: company', 'Why=reason', '4=ignore'; any meaning that the page offers. The "
                "first type is the record that belongs to the second. Other columns stay as they "
                "are understood"
            ),
        )
        parser.add_argument(
            "--dry-run", action="store_true", help="tell what could be sent; send and keep nothing"
        )
        parser.add_argument(
            "--way", choices=SendMode.values, default=settings.BULK_WAY, help="how rows are sent"
        )
        parser.add_argument(
            "--skip-linked", action="store_true", help="leave out what is linked already"
        )

    def act(self, user: User, options: Mapping[str, Any]) -> tuple[Exit, str, Facts]:
        reason = _reason(options["reason"])
        try:
            with signals_taken(break_off):
                run = self.kept(user, options, reason)
        except BrokenOffError:
            raise broken_off() from None
        with signals_taken(shutdown.request):
            try:
                self.work_while(run, {RunState.READING})
                if options["map"]:
                    self.map_columns(run, user, options["map"])
                    self.work_while(run, {RunState.READING})
            except BaseException:
                self.discard(run, user)  # nothing was sent, and nobody has seen it yet
                raise
            if shutdown.is_requested() or run.state != RunState.READY or options["dry_run"]:
                return self.not_started(run, user, is_dry=options["dry_run"])
            return self.sent(run, user, options)

    # --- the dry run ------------------------------------------------------------------------------

    def kept(self, user: User, options: Mapping[str, Any], reason: str) -> BulkRun:
        path = options["file"]
        try:
            with _opened(path) as file:
                return services.create(
                    user=user,
                    meta=self.meta(),
                    name="" if path == "-" else Path(path).name,
                    parts=_parts(file),
                    way=SendMode(options["way"]),
                    reason=reason,
                )
        except OSError as error:
            text = gettext("The file cannot be read: {why}. Nothing was sent.")
            why = error.strerror or type(error).__name__
            raise EndedError(Exit.USAGE, text.format(why=why), reason="no_file") from error
        except TooLargeError as error:
            limit = filesizeformat(settings.BULK_MAX_BYTES)
            text = gettext("The file has more than {limit}. Divide it. Nothing was sent.")
            raise EndedError(Exit.USAGE, text.format(limit=limit), reason=TOO_LARGE) from error
        except allowance.UsedUpError as error:
            raise EndedError(Exit.NOT_SENT, str(USED_UP), reason="used_up") from error
        except DBError as error:
            raise EndedError(Exit.NOT_SENT, str(NOT_KEPT), reason="not_kept") from error

    def map_columns(self, run: BulkRun, user: User, said: list[str]) -> None:
        """Have the file read by what its columns are said to mean. Raises EndedError."""
        if shutdown.is_requested() or not mapping.can_be_chosen(run):
            return  # what is wrong with the file is told
        types = type_choices()
        offered = offered_to(user, types)
        shown = ColumnsForm(run=run, types=offered)
        try:
            meanings = meanings_said(shown, said, types.resolve)
        except NotUnderstoodError as error:
            raise EndedError(Exit.USAGE, str(error), reason="map", **_columns_of(run)) from error
        fields = {f"column_{number}": each for number, each in enumerate(meanings, 1)}
        fields |= {name: str(shown.initial[name] or "") for name in ("encoding", "sheet")}
        form = ColumnsForm(fields, run=run, types=offered)
        if not form.is_valid():
            sentences = [str(each) for errors in form.errors.values() for each in errors]
            raise EndedError(Exit.USAGE, " ".join(sentences), reason="map", **_columns_of(run))
        how = {name: form.cleaned_data.get(name, "") for name in ("encoding", "sheet")}
        services.read_anew(run=run, meanings=form.chosen, **how)

    def not_started(self, run: BulkRun, user: User, *, is_dry: bool) -> tuple[Exit, str, Facts]:
        facts = _facts_of(run) | {"dry_run": is_dry}
        del facts["page"]  # it is discarded
        if shutdown.is_requested():
            end = broken_off()
            code, text = end.code, end.sentence
        elif run.state == RunState.UNREADABLE:
            is_lost = run.problem == FileReason.ACCESS_ENDED
            code = Exit.NOT_SENT if is_lost else Exit.USAGE
            text = file_sentence(run.problem, run.problem_facts)
            facts |= {"reason": run.problem, **_columns_of(run)}
        else:
            code = Exit.NAMES_NONE if run.rows_invalid else Exit.DONE
            text = _would_send(run)
        return code, text, facts | {"left_out": self.last_look(run, user)}

    def last_look(self, run: BulkRun, user: User) -> Iterator[Facts]:
        """Give the rows that cannot be sent; with the last of them the run is discarded."""
        try:
            if run.state == RunState.READY:
                yield from rows_left_out(run)
        finally:
            self.discard(run, user)

    def discard(self, run: BulkRun, user: User) -> None:
        with suppress(services.NotPossibleError):  # somebody has, or has started it, on its page
            services.discard(run=run, user=user, meta=self.meta())

    # --- the run ----------------------------------------------------------------------------------

    def sent(self, run: BulkRun, user: User, options: Mapping[str, Any]) -> Any:
        skip_linked = options["skip_linked"]
        if not (run.rows_not_linked if skip_linked else run.rows_ready):
            code, _text, facts = self.not_started(run, user, is_dry=False)
            return code, gettext("Nothing is left to send. Nothing was sent."), facts
        way = SendMode(options["way"])
        try:
            services.start(user=user, run=run, way=way, skip_linked=skip_linked, meta=self.meta())
        except services.NotPossibleError as error:
            raise _not_started(run) from error
        self.work_while(run, {*UNDER_WAY})
        return _outcome(run)

    def work_while(self, run: BulkRun, states: set[str]) -> None:
        """Work on the run beside any workers, as long as it is in one of these states."""
        told = ""
        while run.state in states and not shutdown.is_requested():
            try:
                told = self.step(run, told)
            except DBError:  # nothing is lost: what is claimed can be claimed anew
                if connection.in_atomic_block:
                    raise
                logger.exception("a run waits for the database", extra={"run": run.pk})
                connection.close()
                shutdown.wait(DATABASE_SECONDS)

    def step(self, run: BulkRun, told: str) -> str:
        if not tasks.work_on(run):
            told = self.tell_wait(run, told)
            shutdown.wait(LOOK_SECONDS)
        try:
            run.refresh_from_db()
        except BulkRun.DoesNotExist:
            text = gettext("Somebody has discarded the run on its page. Nothing was sent.")
            raise EndedError(Exit.NOT_SENT, text, reason="discarded") from None
        return told

    def tell_wait(self, run: BulkRun, told: str) -> str:
        """Say once what it waits for; return what was said."""
        wait = waits_for(run)
        if wait is None or wait.cause in (NO_WORKER, SLOTS, told):
            return told
        self.told(gettext("It waits: {cause}.").format(cause=word_for(wait.cause)))
        return wait.cause


def _reason(text: str) -> str:
    try:
        return ReasonField(help_text="").clean(text)
    except ValidationError as error:
        raise EndedError(Exit.USAGE, " ".join(error.messages), reason="reason") from error


def _opened(path: str) -> BinaryIO:
    return os.fdopen(os.dup(0), "rb") if path == "-" else Path(path).open("rb")


def _parts(file: BinaryIO) -> Iterator[bytes]:
    size = 0
    while part := file.read(PART_BYTES):
        size += len(part)
        if size > settings.BULK_MAX_BYTES:
            raise TooLargeError
        yield part


def _columns_of(run: BulkRun) -> Facts:
    """How the columns were understood, for whoever has to say it."""
    columns = run.layout.get("columns", [])
    meanings = run.layout.get("meanings", [])
    told = zip(columns, [*meanings, *[""] * len(columns)], strict=False)
    return {"columns": [{"name": name, "values": v, "meaning": m} for (name, v), m in told]}


def _facts_of(run: BulkRun) -> Facts:
    return {
        "run": run.pk,
        "page": run.get_absolute_url(),
        "file": run.name,
        "state": run.state,
        "rows": {
            "read": run.rows_read,
            "ready": run.rows_ready,
            "linked_already": run.rows_linked,
            "looked_up": run.rows_looked_up,
            "double": run.rows_double,
            "cannot_be_sent": run.rows_invalid,
            "to_choose": run.rows_to_choose,
        },
    }


def _would_send(run: BulkRun) -> str:
    text = gettext("Rows that could be sent: {ready}. That cannot: {left}. Nothing was sent.")
    return text.format(ready=run.rows_ready, left=run.rows_invalid)


def _not_started(run: BulkRun) -> EndedError:
    """Tell why it was not: where nothing of it has changed, somebody else has to approve it."""
    read_at = run.read_at
    found = BulkRun.objects.filter(pk=run.pk).first()
    facts = _facts_of(found or run)
    if found and found.state == RunState.READY and found.read_at == read_at:
        text = gettext(
            "Somebody else has to approve this run before it starts. Nothing was sent. It waits: "
            "ask for the approval on its page, {page}."
        ).format(page=found.get_absolute_url())
        return EndedError(Exit.APPROVAL, text, **facts, reason="approval")
    text = gettext("Somebody has changed the run on its page meanwhile. It was not started here.")
    return EndedError(Exit.NOT_SENT, text, **facts, reason="moved")


def _outcome(run: BulkRun) -> tuple[Exit, str, Facts]:
    facts = _facts_of(run) | {"outcomes": _outcomes_of(run)}
    facts |= {"left_out": rows_left_out(run), "not_linked": pairs_not_linked(run)}
    if run.state in UNDER_WAY:
        text = gettext(
            "Broken off. Run {number} is kept, and workers send the rest. Its page is {page}."
        ).format(number=run.pk, page=run.get_absolute_url())
        return Exit.BROKEN_OFF, text, facts
    if run.state == RunState.PAUSED:
        text = stop_sentence(run.stop_cause) if run.stop_cause else str(look_of(run).said)
        page = gettext("The run has paused; its page is {page}.")
        text = f"{text} {page.format(page=run.get_absolute_url())}"
        return Exit.NOT_SENT, text, facts | {"reason": run.stop_cause or "paused"}
    return _code_of(run), str(look_of(run).said), facts


def _outcomes_of(run: BulkRun) -> dict[str, int]:
    names = ("linked", "unconfirmed", "rejected", "unreachable", "canceled", "queued")
    return {name: getattr(run, name) for name in names}


def _code_of(run: BulkRun) -> Exit:
    if run.state == RunState.CANCELED or run.canceled:
        return Exit.NOT_SENT
    if run.in_doubt:
        return Exit.IN_DOUBT
    if run.rejected:
        return Exit.REFUSED
    return Exit.NAMES_NONE if run.rows_invalid else Exit.DONE
