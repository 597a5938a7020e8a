"""Spreadsheets (XLSX, XLSB, XLS, ODS), by calamine: sheet by sheet, each a table."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date, datetime, time, timedelta
from io import BytesIO
from typing import Final

from python_calamine import CalamineError, CalamineWorkbook, PasswordError, SheetTypeEnum

from partywall.features.documents.readers.file_text import FileText, Reason, UnreadableFileError
from partywall.features.documents.readers.layout import Writer, one_line, table
from partywall.features.documents.readers.odf import require_no_password
from partywall.features.documents.readers.package import Package
from partywall.features.documents.readers.tables import MAX_COLUMNS

type Cell = int | float | str | bool | time | date | datetime | timedelta

_ZIP: Final = b"PK"


def read_sheets(data: bytes) -> FileText:
    if data.startswith(_ZIP):
        require_no_password(Package(data))  # and it is not too large when unpacked
    try:
        workbook = CalamineWorkbook.from_object(BytesIO(data))
    except PasswordError as error:
        raise UnreadableFileError(Reason.PASSWORD_PROTECTED) from error
    except (CalamineError, ValueError, OSError) as error:
        raise UnreadableFileError(Reason.DAMAGED) from error
    writer = Writer()
    kinds = {each.name: each.typ for each in workbook.sheets_metadata}
    names = [name for name in workbook.sheet_names if kinds.get(name) == SheetTypeEnum.WorkSheet]
    texts: list[str | None] = []
    for number, name in enumerate(names):
        if number:
            writer.page()
        text = _sheet(workbook, name)
        texts.append(text)
        if text:
            writer.title(2, name)
            writer.block(text)
    if not any(texts):
        raise UnreadableFileError(Reason.DAMAGED if None in texts else Reason.NO_TEXT)
    return FileText(writer.text())


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
