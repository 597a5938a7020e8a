"""Spreadsheets (XLSX, XLSB, XLS, ODS), by calamine: sheet by sheet, each a table."""

from __future__ import annotations

import re
from collections.abc import Iterable
from datetime import date, datetime, time, timedelta
from io import BytesIO
from typing import Final
from zipfile import ZipFile

from python_calamine import CalamineError, CalamineWorkbook, PasswordError, SheetTypeEnum

from partywall.features.documents.readers.file_text import FileText, Reason, UnreadableFileError
from partywall.features.documents.readers.layout import Writer, one_line, table
from partywall.features.documents.readers.odf import require_no_password
from partywall.features.documents.readers.package import Package
from partywall.features.documents.readers.tables import MAX_COLUMNS

type Cell = int | float | str | bool | time | date | datetime | timedelta

_ZIP: Final = b"PK"
_CONTENT: Final = "content.xml"
_BLANKS: Final = re.compile(rb">[ \t\r\n]++(?=</?table:)")


def read_sheets(data: bytes) -> FileText:
    if data.startswith(_ZIP):
        package = Package(data)  # it is not too large when unpacked
        require_no_password(package)
        data = _without_blanks(package) or data
    try:
        workbook = CalamineWorkbook.from_object(BytesIO(data))
    except PasswordError as error:
        raise UnreadableFileError(Reason.PASSWORD_PROTECTED) from error
    except (CalamineError, ValueError, OSError) as error:
        raise UnreadableFileError(Reason.DAMAGED) from error
    writer = Writer()
    kinds = {each.name: each.typ for each in workbook.sheets_metadata}
    texts: list[str | None] = []
    for number, name in enumerate(workbook.sheet_names):
        if number:
            writer.page()
        text = _sheet(workbook, name) if kinds.get(name) == SheetTypeEnum.WorkSheet else ""
        texts.append(text)
        if text:
            writer.title(2, name)
            writer.block(text)
    if not any(texts):
        raise UnreadableFileError(Reason.DAMAGED if None in texts else Reason.NO_TEXT)
    return FileText(writer.text())


def _without_blanks(package: Package) -> bytes:
    """An OpenDocument without blanks and comments between its cells, which calamine refuses; empty if it has none."""
    content = package.read(_CONTENT)
    first, *others = content.split(b"<!--")
    plain = _BLANKS.sub(b">", first + b"".join(each.partition(b"-->")[2] for each in others))
    if len(plain) == len(content):
        return b""
    file = BytesIO()
    with ZipFile(file, "w") as archive:
        for name in filter(package.__contains__, ("mimetype", "META-INF/manifest.xml")):
            archive.writestr(name, package.read(name))
        archive.writestr(_CONTENT, plain)
    return file.getvalue()


def _sheet(workbook: CalamineWorkbook, name: str) -> str | None:
    """None if the sheet is broken."""
    try:
        rows: Iterable[list[Cell]] = workbook.get_sheet_by_name(name).iter_rows()
        return table([[_shown(cell) for cell in cells[:MAX_COLUMNS]] for cells in rows if any(map(_is_filled, cells))])
    except CalamineError:
        return None


def _is_filled(cell: Cell) -> bool:
    return cell != ""


def _shown(cell: Cell) -> str:
    """As a person reads it: whole numbers without `.0`, booleans in capitals, dates without a time of midnight."""
    match cell:
        case bool():
            return str(cell).upper()
        case float() if cell.is_integer() and abs(cell) < 1e15:
            return str(int(cell))
        case datetime() if cell.time() == time():
            return cell.date().isoformat()
        case datetime():
            return cell.isoformat(" ")
        case _:
            return one_line(str(cell))
