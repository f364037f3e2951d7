"""Workbooks, as openpyxl writes them and as nobody should."""

import io
from collections.abc import Iterable, Mapping
from typing import Any
from zipfile import ZIP_DEFLATED, ZipFile

from openpyxl import Workbook

MAIN = "http://schemas.openxmlformats.org/spreadsheetml/2006/main"
STRICT = "http://purl.oclc.org/ooxml/spreadsheetml/main"
_RELATIONS = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
_PACKAGE = "http://schemas.openxmlformats.org/package/2006"
HEADER = ("from_id", "to_id", "reason")


def saved(workbook: Workbook) -> bytes:
    file = io.BytesIO()
    workbook.save(file)
    return file.getvalue()


def workbook_of(*rows: Iterable[Any], header: Iterable[Any] = HEADER) -> bytes:
    """A workbook of one sheet, by openpyxl."""
    workbook = Workbook()
    for row in (header, *rows):
        workbook.active.append(list(row))
    return saved(workbook)


def sheet(*rows: str, after: str = "", before: str = "", space: str = MAIN) -> str:
    """A sheet of rows that are written as XML."""
    return (
        f'<?xml version="1.0" encoding="UTF-8"?>\n<worksheet xmlns="{space}">{before}'
        f"<sheetData>{''.join(rows)}</sheetData>{after}</worksheet>"
    )


def text_row(line: int, *texts: str) -> str:
    cells = (
        f'<c r="{letter}{line}" t="inlineStr"><is><t>{text}</t></is></c>'
        for letter, text in zip("ABCDEFG", texts, strict=False)
    )
    return f'<row r="{line}">{"".join(cells)}</row>'


def number_row(line: int, *cells: str) -> str:
    """A row of cells, each as it stands between the letter of its name and its end."""
    written = (
        f'<c r="{letter}{line}"{cell}</c>'
        for letter, cell in zip("ABCDEFG", cells, strict=False)
        if cell
    )
    return f'<row r="{line}">{"".join(written)}</row>'


HEAD = text_row(1, *HEADER)
GOOD = sheet(HEAD, number_row(2, "><v>501</v>", "><v>902</v>"))


def parts_of_workbook(
    *sheets: str,
    strings: str = "",
    styles: str = "",
    states: Mapping[int, str] | None = None,
    space: str = MAIN,
    kinds: Mapping[int, str] | None = None,
    properties: str = "",
) -> dict[str, str | bytes]:
    """The parts of a workbook by name, to be packed or spoilt."""
    numbers = range(1, len(sheets) + 1)
    listed = "".join(
        f'<sheet name="Sheet{n}" sheetId="{n}" r:id="rId{n}"'
        f' state="{(states or {}).get(n, "visible")}"/>'
        for n in numbers
    )
    relations = "".join(
        f'<Relationship Id="rId{n}" Type="{_RELATIONS}/{(kinds or {}).get(n, "worksheet")}"'
        f' Target="worksheets/sheet{n}.xml"/>'
        for n in numbers
    )
    parts: dict[str, str | bytes] = {
        "[Content_Types].xml": f'<Types xmlns="{_PACKAGE}/content-types"/>',
        "_rels/.rels": f'<Relationships xmlns="{_PACKAGE}/relationships"><Relationship Id="rId1"'
        f' Type="{_RELATIONS}/officeDocument" Target="xl/workbook.xml"/></Relationships>',
        "xl/workbook.xml": f'<workbook xmlns="{space}" xmlns:r="{_RELATIONS}">{properties}'
        f"<sheets>{listed}</sheets></workbook>",
    }
    for name, content in (("sharedStrings", strings), ("styles", styles)):
        if content:
            relations += (
                f'<Relationship Id="{name}" Type="{_RELATIONS}/{name}" Target="{name}.xml"/>'
            )
            parts[f"xl/{name}.xml"] = content
    parts["xl/_rels/workbook.xml.rels"] = (
        f'<Relationships xmlns="{_PACKAGE}/relationships">{relations}</Relationships>'
    )
    return parts | {f"xl/worksheets/sheet{n}.xml": content for n, content in enumerate(sheets, 1)}


def packed(parts: Mapping[str, str | bytes], how: int = ZIP_DEFLATED) -> bytes:
    file = io.BytesIO()
    with ZipFile(file, "w", how) as archive:
        for name, content in parts.items():
            archive.writestr(name, content)
    return file.getvalue()


def raw(*sheets: str, **more: Any) -> bytes:
    """A workbook whose sheets are written as XML."""
    return packed(parts_of_workbook(*sheets, **more))


def changed(whole: bytes, /, **contents: str | bytes | None) -> bytes:
    """The workbook with other contents of the parts whose names end so, `.xml` left out."""
    parts: dict[str, str | bytes] = {}
    with ZipFile(io.BytesIO(whole)) as archive:
        for name in archive.namelist():
            own = name.rpartition("/")[2].removesuffix(".xml")
            content = contents.get(own, archive.read(name))
            if content is not None:
                parts[name] = content
    return packed(parts)
