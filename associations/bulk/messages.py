"""What is said of a file that cannot be read and of a row that cannot be sent."""

from collections.abc import Mapping

from django.utils.functional import Promise
from django.utils.translation import gettext, pgettext_lazy
from django.utils.translation import gettext_lazy as _

from associations.bulk.files.errors import FileReason
from associations.bulk.files.rows import RowReason
from associations.hubspot.outcomes import Cause
from associations.hubspot.record_references import PairReason, Reason
from associations.hubspot.unseen import visible
from associations.texts.labels import type_label, word_for
from associations.texts.references import SENTENCES, UNSEEN

# What was so when the run paused; it may have been repaired since.
_STOPS: dict[str, str | Promise] = {
    Cause.TOKEN_REFUSED: _("HubSpot did not accept this site's access token."),
    Cause.SCOPE_MISSING: _(
        "This site's access token did not have the scopes for these types of records."
    ),
    Cause.REDIRECTED: _("The configured address of HubSpot's API was wrong."),
    Cause.ACCESS_ENDED: _("Whoever started it had lost their access to this site."),
}
_FIELDS = {
    "from_object_type": pgettext_lazy("column of a file", "from type"),
    "from_object_id": pgettext_lazy("column of a file", "from id"),
    "to_object_type": pgettext_lazy("column of a file", "to type"),
    "to_object_id": pgettext_lazy("column of a file", "to id"),
    "reason": pgettext_lazy("column of a file", "reason"),
}
_OF_A_SIDE: dict[str, dict[str, str | Promise]] = {
    PairReason.REQUIRED: {
        "from": _("The id of the first record is missing."),
        "to": _("The id of the second record is missing."),
    },
    PairReason.NO_TYPE: {
        "from": _(
            "The type of the first record is missing. Write it in its column, or before the id, "
            "such as Contact 501."
        ),
        "to": _(
            "The type of the second record is missing. Write it in its column, or before the id, "
            "such as Contact 501."
        ),
    },
}
_OF_A_ROW: dict[str, str | Promise] = {
    **SENTENCES,
    Reason.UNKNOWN_TYPE: _(
        "No object type called “%(text)s” is known here. Write one such as Contact or Company; a "
        "custom object goes by its id, such as 2-4001."
    ),
    Reason.NO_ID: _("“%(text)s” is a type. Write the record's id after it, such as Contact 501."),
    RowReason.EXTRA_CELLS: _(
        "This row has more cells than there are columns (%(cells)s more). If a comma or semicolon "
        "belongs to a text, put the text between quotation marks."
    ),
    PairReason.ANOTHER_TYPE: _(
        "This row says %(read)s, but %(chosen)s was chosen for all rows. Correct the row, or "
        "choose no type for all rows."
    ),
    PairReason.ITSELF: _("A record cannot be linked to itself. Write another record here."),
    RowReason.REASON_UNSEEN: UNSEEN,
    RowReason.REASON_TOO_LONG: _("Keep the reason to %(limit)s characters; this has %(length)s."),
}
_OF_A_FILE: dict[str, str | Promise] = {
    FileReason.EMPTY: _("There is nothing in this file. Choose another one."),
    FileReason.WORKBOOK: _(
        "This is an Excel workbook or another office document, not a CSV file. Open it and save it "
        "as “CSV UTF-8”."
    ),
    FileReason.PDF: _(
        "This is a PDF, not a CSV file. Export the rows as CSV where they come from."
    ),
    FileReason.ARCHIVE: _("This is a compressed file. Unpack it, and upload the CSV file inside."),
    FileReason.IMAGE: _(
        "This is a picture, not a CSV file. Export the rows as CSV where they come from."
    ),
    FileReason.WEB_PAGE: _(
        "This is a web page or an XML file, not a CSV file. Open it in a spreadsheet, check that "
        "the rows are there, and save it as “CSV UTF-8”."
    ),
    FileReason.JSON: _(
        "This is JSON, not a CSV file. Export the rows as CSV where they come from."
    ),
    FileReason.NOT_TEXT: _(
        "This is no text file: line %(line)s has a null character. Save the rows as “CSV UTF-8”, "
        "and upload that."
    ),
    FileReason.BROKEN_TEXT: _(
        "Line %(line)s has characters that cannot be read: they are in another encoding than the "
        "rest, or damaged. Correct them, and save the file as “CSV UTF-8”."
    ),
    FileReason.LONG_LINE: _(
        "Line %(line)s is longer than %(limit)s KiB. Check that each row stands in a line of its "
        "own."
    ),
    FileReason.TOO_MANY_LINES: _(
        "There are more than %(limit)s lines in this file. Remove the empty ones, or divide the "
        "file, and upload the parts one after the other."
    ),
    FileReason.OPEN_QUOTE: _(
        "In line %(line)s a quotation mark opens a cell that is not closed properly. Close it, or "
        "write it twice if it belongs to the text."
    ),
    FileReason.TOO_MANY_COLUMNS: _(
        "Line %(line)s has %(columns)s columns; %(limit)s are read at most. Keep the columns that "
        "are needed."
    ),
    FileReason.TOO_MANY_ROWS: _(
        "There are more than %(limit)s rows in this file. Divide it, and upload the parts one "
        "after the other."
    ),
    FileReason.HEADER_ONLY: _("There are only names of columns in this file. Add rows below them."),
    FileReason.NO_HEADER: _(
        "It cannot be told which columns these are: %(found)s. Add a first row with their names: "
        "from type, from id, to type, to id, reason."
    ),
    FileReason.MISSING_COLUMN: _(
        "The column “%(field)s” is missing. The first row has: %(found)s. Name the column there."
    ),
    FileReason.MISSING_COLUMNS: _(
        "The columns “from id” and “to id” are missing. The first row has: %(found)s. Name the "
        "columns there."
    ),
    FileReason.DOUBLE_COLUMN: _(
        "Two columns mean “%(field)s”: %(found)s. Remove one of them, or rename it."
    ),
    FileReason.ACCESS_ENDED: _(
        "Whoever uploaded this file had lost their access to this site before all of it was read. "
        "Whoever has the file may upload it anew."
    ),
    FileReason.TOO_MANY_RECORDS: _(
        "Several columns name records: %(found)s. Call the two that are meant “from id” and "
        "“to id”."
    ),
    FileReason.NO_TYPE: _(
        "The column “%(field)s” is missing, and nothing else says the type. The first row has: "
        "%(found)s. Add the column, or choose a type for all rows."
    ),
}


def column_label(name: str) -> str:
    """Return what people call a column, in the active language."""
    return str(_FIELDS.get(name, name))


def sentence(problem_field: str, code: str, facts: Mapping[str, str | int]) -> str:
    """Return what keeps a row back and what to do, in the active language."""
    side = problem_field.partition("_")[0]
    template = _OF_A_SIDE.get(code, {}).get(side) or _OF_A_ROW.get(code)
    labels = {name: type_label(str(facts[name])) for name in ("read", "chosen") if name in facts}
    return _filled(template, {**facts, **labels}) or code


def file_sentence(code: str, facts: Mapping[str, str | int]) -> str:
    """Return why a file cannot be read and what to do, in the active language."""
    labels = {"field": column_label(str(facts["field"]))} if "field" in facts else {}
    return _filled(_OF_A_FILE.get(code), {**facts, **labels}) or code


def stop_sentence(cause: str) -> str:
    """Return why a run has paused by itself, in the active language."""
    if cause in _STOPS:
        return str(_STOPS[cause])
    return gettext("{cause}.").format(cause=word_for(cause))


def _filled(template: str | Promise | None, facts: Mapping[str, str | int]) -> str:
    """The sentence; empty if there is none, or other facts than it asks for."""
    try:
        return visible(str(template) % facts) if template else ""
    except KeyError:
        return ""
