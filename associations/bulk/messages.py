"""What is said of a file that cannot be read and of a row that cannot be sent."""

from collections.abc import Mapping

from django.utils.functional import Promise
from django.utils.translation import gettext, pgettext_lazy
from django.utils.translation import gettext_lazy as _

from associations.bulk.files.errors import FileReason
from associations.bulk.files.rows import RowReason
from associations.bulk.files.workbook import CellReason
from associations.bulk.undoing import PREFIX
from associations.hubspot.outcomes import Cause
from associations.hubspot.record_references import PairReason, Reason
from associations.hubspot.unseen import visible
from associations.linking.undo import Bar
from associations.linking.why_not import sentence_of
from associations.texts.labels import type_label, type_within_a_sentence, word_for
from associations.texts.lookup_errors import reason_of
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
        "from": _("From: the record's id is missing."),
        "to": _("To: the record's id is missing."),
    },
    PairReason.NO_TYPE: {
        "from": _(
            "From: the record's type is missing. Write it in its column, or before the id, such "
            "as Contact 501."
        ),
        "to": _(
            "To: the record's type is missing. Write it in its column, or before the id, such "
            "as Contact 501."
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
    RowReason.SEVERAL_ON_BOTH: _(
        "Both sides name several records, and it cannot be told which belong together. Write each "
        "pair in a row of its own."
    ),
    PairReason.ANOTHER_TYPE: _(
        "This row says %(read)s, but %(chosen)s was chosen for all rows. Correct the row, or "
        "choose no type for all rows."
    ),
    PairReason.ITSELF: _("A record cannot be linked to itself. Write another record here."),
    RowReason.MISSING: _(
        "HubSpot has no %(type)s with the id %(text)s. It may have been deleted, or the column may "
        "hold something else. Check the id at the end of the record's address."
    ),
    RowReason.ARCHIVED: _(
        "The %(type)s with the id %(text)s was deleted in HubSpot. Restore it there, or write "
        "another one."
    ),
    RowReason.LIMIT: _(
        "HubSpot would refuse it: an admin there allows %(type)s %(text)s so many links to the "
        "type %(chosen)s: %(limit)s. It has them, or gets them by rows before this one."
    ),
    RowReason.NO_DEFAULT: _(
        "HubSpot has no default way to link %(read)s to %(chosen)s. Whoever manages HubSpot can "
        "tell whether there is another one."
    ),
    RowReason.CHOOSE: _(
        "“%(text)s” may mean one of several (%(count)s found). Choose which, or write its id."
    ),
    RowReason.NONE_MEANT: _(
        "Of what HubSpot finds for “%(text)s” none was meant. Write the id of the one that is."
    ),
    RowReason.CHANGED: _(
        "When this row's turn came, HubSpot had another record for “%(text)s” than when it was "
        "checked, or none. Nothing was sent for it. Check it again in a run of its own."
    ),
    RowReason.NOT_FOUND: _(
        "HubSpot's search finds no %(type)s for “%(text)s”. What was made or changed within the "
        "last minute it may not find yet. Correct it, or write the record's id."
    ),
    RowReason.NO_SUCH_EMAIL: _(
        "HubSpot has no contact with the e-mail address %(text)s. Correct it, or write the "
        "contact's id."
    ),
    RowReason.NO_SUCH_KEY: _(
        "HubSpot has no %(type)s with “%(text)s” in this property. Correct it, or write the "
        "record's id."
    ),
    RowReason.FREE_MAIL: _(
        "%(text)s gives mail addresses to anybody, so it is no company's domain. Write the "
        "company's name or id."
    ),
    RowReason.NOT_SHOWN: _(
        "HubSpot did not tell whose “%(text)s” is. %(why)s Check the file again later, or write "
        "the record's id."
    ),
    RowReason.TOO_MANY_WORDS: _(
        "“%(text)s” was not searched for: so many names in one file would take too long. Write "
        "e-mail addresses, domains or ids."
    ),
    RowReason.REASON_UNSEEN: UNSEEN,
    RowReason.REASON_TOO_LONG: _("Keep the reason to %(limit)s characters; this has %(length)s."),
}
_OF_MANY_ROWS: dict[str, str | Promise] = {
    RowReason.MISSING: _("HubSpot has no record with this id."),
    RowReason.ARCHIVED: _("The record with this id was deleted in HubSpot."),
    RowReason.LIMIT: _("HubSpot would refuse it: the record has as many links as are allowed."),
    RowReason.NO_SUCH_EMAIL: _("HubSpot has no contact with this e-mail address."),
    RowReason.NO_SUCH_KEY: _("HubSpot has no record with this in the property."),
    RowReason.NOT_FOUND: _("HubSpot's search finds no record for this text."),
    RowReason.FREE_MAIL: _("This domain gives mail addresses to anybody: it is no company's."),
    RowReason.NONE_MEANT: _("None of the records that HubSpot has was meant."),
    RowReason.NOT_SHOWN: _("HubSpot did not tell whose this is."),
    RowReason.TOO_MANY_WORDS: _("These names were not searched for: there are too many."),
    Reason.UNKNOWN_TYPE: _("This is no object type that is known here."),
    f"{PREFIX}{Bar.NOT_ALONE}": _(
        "The two are linked in other ways, too, and HubSpot would remove them all."
    ),
    Reason.NOT_DIGITS: _("This is neither an id nor anything else that names a record."),
}
# Where a workbook's cell is to blame, which can be named.
_OF_A_CELL: dict[str, str | Promise] = {
    PairReason.ROUNDED: _(
        "The number in the cell %(cell)s (%(text)s) is longer than the 15 digits that Excel keeps: "
        "the last ones are lost. Format the column as text, and paste the ids into it anew."
    ),
    CellReason.NO_VALUE: _(
        "The cell %(cell)s has a formula, but the file does not say what comes of it. Open the "
        "file in Excel and save it there, or paste the values in place of the formulas."
    ),
    CellReason.MERGED: _(
        "The cell %(cell)s is merged with others (%(range)s), so it has no value of its own. Take "
        "them apart, and write a value into each."
    ),
}
_OF_A_FILE: dict[str, str | Promise] = {
    FileReason.EMPTY: _("There is nothing in this file. Choose another one."),
    FileReason.WORKBOOK: _(
        "This is an office document of a kind that is not read here. Open it, and save its rows as "
        "an Excel workbook (.xlsx) or as “CSV UTF-8”."
    ),
    FileReason.OLD_WORKBOOK: _(
        "This is an Excel workbook of the old kind (.xls), which is not read here. Open it, and "
        "save it as an Excel workbook (.xlsx) or as “CSV UTF-8”."
    ),
    FileReason.BINARY_WORKBOOK: _(
        "This is a binary Excel workbook (.xlsb), which is not read here. Open it in Excel, and "
        "save it as an Excel workbook (.xlsx) or as “CSV UTF-8”."
    ),
    FileReason.OPEN_DOCUMENT: _(
        "This is an OpenDocument spreadsheet (.ods), which is not read here. Open it, and save it "
        "as an Excel workbook (.xlsx) or as “CSV UTF-8”."
    ),
    FileReason.ENCRYPTED_WORKBOOK: _(
        "This file is encrypted: it opens only with a password, or for some people. Open it, take "
        "the protection off, and save it as an Excel workbook (.xlsx)."
    ),
    FileReason.DAMAGED_WORKBOOK: _(
        "This workbook is damaged, or a part of it is missing. Open it in Excel, and if that "
        "succeeds, save it as a new Excel workbook (.xlsx), and upload that."
    ),
    FileReason.UNSAFE_WORKBOOK: _(
        "This workbook has definitions (a DTD) that no spreadsheet writes and that could do harm, "
        "so it was not read. Copy the rows into a new workbook."
    ),
    FileReason.UNPACKS_TOO_LARGE: _(
        "This workbook unpacks to more than %(limit)s MiB, so it was not read. Copy the rows that "
        "are meant, without pictures and other sheets, into a new workbook."
    ),
    FileReason.PACKED_TOO_TIGHT: _(
        "A part of this workbook unpacks to more than %(limit)s times its size, which no rows of "
        "records do, so it was not read. Copy the rows that are meant into a new workbook."
    ),
    FileReason.TOO_MANY_PARTS: _(
        "This workbook has more than %(limit)s parts, so it was not read. Copy the rows that are "
        "meant into a new workbook."
    ),
    FileReason.TOO_MANY_CELLS: _(
        "This workbook has more cells than can be read; many are perhaps empty but for a format. "
        "Copy the rows and columns that are needed into a new workbook."
    ),
    FileReason.CHARTS_ONLY: _(
        "No sheet of this workbook has cells: there are only charts, or nothing. Copy the rows "
        "into a sheet."
    ),
    FileReason.HIDDEN_ONLY: _(
        "Nothing stands in the sheets that are shown; others are hidden: %(found)s. Unhide the one "
        "that is meant, and save the workbook."
    ),
    FileReason.NO_SHEET: _(
        "No sheet that is shown is called “%(sheet)s”. There are: %(found)s. Choose one of them."
    ),
    FileReason.LONG_CELL: _(
        "A cell of this workbook has more than %(limit)s characters. Shorten it, or remove its "
        "column if it is not needed."
    ),
    FileReason.LONG_ROW: _(
        "Row %(line)s has more than %(limit)s KiB of text. Shorten it, or remove the columns that "
        "are not needed."
    ),
    FileReason.TOO_LARGE: _(
        "This file is larger than %(limit)s MiB. Divide it, and upload the parts one after the "
        "other."
    ),
    FileReason.PDF: _(
        "This is a PDF, not a CSV file. Export the rows as CSV where they come from."
    ),
    FileReason.ARCHIVE: _(
        "This is a compressed file. Unpack it, and upload the CSV file or workbook inside."
    ),
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
    FileReason.OTHER_COLUMNS: _(
        "This file has other columns than were chosen for it: %(found)s. Choose again what they "
        "mean."
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
    if code.startswith(PREFIX):
        return sentence_of(code.removeprefix(PREFIX), str(facts.get("labels", ""))) or code
    side = problem_field.partition("_")[0]
    of_a_cell = _OF_A_CELL.get(code) if "cell" in facts else None
    template = of_a_cell or _OF_A_SIDE.get(code, {}).get(side) or _OF_A_ROW.get(code)
    labels = {name: type_label(str(facts[name])) for name in ("read", "chosen") if name in facts}
    if "object_type" in facts:
        labels["type"] = type_within_a_sentence(str(facts["object_type"]))
    if "cause" in facts:
        labels["why"] = reason_of(str(facts["cause"]))
    return _filled(template, {**facts, **labels}) or code


def headline(problem_field: str, code: str) -> str:
    """Return what all rows with this problem have in common; empty if there are no words for it."""
    side = problem_field.partition("_")[0]
    template = _OF_A_SIDE.get(code, {}).get(side) or _OF_MANY_ROWS.get(code)
    return str(template) if template else ""


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
