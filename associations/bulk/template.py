"""The file to fill in, for those who have no other: as a workbook."""

import io

from associations.bulk.files.headings import FIELDS

EXAMPLES = (
    ("Contact", "501", "Company", "902", "SUP-1234"),
    ("Deal", "77", "Company", "902", "SUP-1234"),
)
XLSX = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"
_TEXT = "@"  # Excel's format for what stays as it was typed
_WIDTH = 20  # characters


def template_workbook() -> bytes:
    """Return a workbook of the columns and two rows as examples.

    Its columns are texts, down to the last row: of a number Excel would round what goes beyond 15
    digits, show 106738123456 as 1.06738E+11, and take 1-2 for a date.
    """
    from openpyxl import Workbook  # slow to import, and hardly ever needed
    from openpyxl.styles import Font
    from openpyxl.utils import get_column_letter

    workbook = Workbook()
    sheet = workbook.active
    sheet.title = "hubadmin"
    for row in (FIELDS, *EXAMPLES):
        sheet.append(row)
    for number in range(1, len(FIELDS) + 1):
        column = sheet.column_dimensions[get_column_letter(number)]
        column.width, column.number_format = _WIDTH, _TEXT
        for cell in sheet[get_column_letter(number)]:
            cell.number_format = _TEXT
        sheet.cell(1, number).font = Font(bold=True)
    sheet.freeze_panes = "A2"
    file = io.BytesIO()
    workbook.save(file)
    return file.getvalue()
