"""PDF, by PDFium: page by page, with headings by their size of type, and without what is repeated on every page."""

from __future__ import annotations

import ctypes
import re
from collections.abc import Sequence
from dataclasses import replace
from typing import Final

import pypdfium2 as pdfium
import pypdfium2.raw as pdfium_c

from partywall.features.documents.readers.file_text import MAX_PAGES, FileText, Reason, UnreadableFileError
from partywall.features.documents.readers.layout import MAX_HEADING, Writer, best_title, clean, one_line
from partywall.features.documents.readers.ocr import Ocr
from partywall.features.documents.readers.pdf_headers import without_headers
from partywall.features.documents.readers.pdf_lines import Line, is_heading, usual_size
from partywall.features.documents.readers.pdf_scans import recognized, scanned_texts

_PASSWORD_ERRORS: Final = (pdfium_c.FPDF_ERR_PASSWORD, pdfium_c.FPDF_ERR_SECURITY)
_MUCH_LARGER: Final = 1.5
# The largest gap between two lines of a paragraph, in sizes of type.
_GAP: Final = 0.6
_MOST_OBJECTS: Final = 20_000  # of a page
_NO_WIDTH: Final = 0.01
_SLANT: Final = 0.002
_LINE: Final = re.compile(r"[^\r\n]+")
_LAM_AFTER_ALEF: Final = re.compile("[\u0622\u0623\u0625\u0627\u0671]\u0644")
# PDFium writes these for a hyphen at the end of a line.
_HYPHEN: Final = re.compile("[\x02\ufffe]\r?\n?")
_NOT_CHECKED: Final = "Off"
_LONGEST_VALUE: Final = 4_096


def read_pdf(data: bytes, ocr: Ocr | None = None) -> FileText:
    try:
        document = pdfium.PdfDocument(data)
    except pdfium.PdfiumError as error:
        protected = getattr(error, "err_code", None) in _PASSWORD_ERRORS
        raise UnreadableFileError(Reason.PASSWORD_PROTECTED if protected else Reason.DAMAGED) from error
    if document.get_formtype():
        document.init_forms()
    if len(document) > MAX_PAGES:
        raise UnreadableFileError(Reason.TOO_LARGE)
    pages = [_read_page(document, number) for number in range(len(document))]
    if all(lines is None for lines in pages):
        raise UnreadableFileError(Reason.DAMAGED)
    whole = [lines or [] for lines in pages]
    usual = usual_size(whole)
    found = without_headers(whole, usual)
    blank = [number for number, lines in enumerate(pages) if lines == []]
    scans = scanned_texts(document, blank, ocr) if ocr and blank else {}
    writer = Writer()
    for number, lines in enumerate(found):
        if number:
            writer.page()
        _write_page(lines, usual, writer)
        writer.block(scans.get(number) or "")
    title = best_title(_title(document), writer.heading)
    read = FileText(writer.text(), title, _language(document), is_whole=None not in pages)
    return replace(read, ocr=recognized(scans.values())) if scans else read


def _read_page(document: pdfium.PdfDocument, number: int) -> list[Line] | None:
    """None for a page that is broken."""
    try:
        page = document[number]
        _widen_columns(page)
        text_page = page.get_textpage()
        text = text_page.get_text_range() if text_page.count_chars() else ""
    except pdfium.PdfiumError:
        return None
    text = _LAM_AFTER_ALEF.sub(lambda pair: pair[0][::-1] if _is_ligature(text_page, pair) else pair[0], text)
    lines = [_measured(text_page, found) for found in _LINE.finditer(text)]
    values = _form_values(document, page)
    text_page.close()
    page.close()
    return [line for line in lines if line.text.strip()] + values


def _widen_columns(page: pdfium.PdfPage) -> None:
    """Slants vertical text a little: PDFium leaves out text without a width, as columns in fonts of the system have."""
    edges = [ctypes.c_float() for _ in range(4)]
    for number in range(min(pdfium_c.FPDFPage_CountObjects(page), _MOST_OBJECTS)):
        found = pdfium_c.FPDFPage_GetObject(page, number)
        if pdfium_c.FPDFPageObj_GetType(found) != pdfium_c.FPDF_PAGEOBJ_TEXT:
            continue
        if pdfium_c.FPDFPageObj_GetBounds(found, *edges) and edges[2].value - edges[0].value < _NO_WIDTH:
            pdfium_c.FPDFPageObj_Transform(found, 1, 0, _SLANT, 1, 0, 0)


def _is_ligature(page: pdfium.PdfTextPage, pair: re.Match[str]) -> bool:
    """Whether two letters are one glyph, which is only the ligature of lam and alef. PDFium reverses its letters."""
    boxes = []
    for at, letter in enumerate(pair[0], start=pair.start()):
        if pdfium_c.FPDFText_GetUnicode(page, at) != ord(letter):
            return False
        box = pdfium_c.FS_RECTF()
        pdfium_c.FPDFText_GetLooseCharBox(page, at, box)
        boxes.append((box.left, box.right))
    return boxes[0] == boxes[1] and boxes[0][0] < boxes[0][1]


def _measured(page: pdfium.PdfTextPage, found: re.Match[str]) -> Line:
    """`size` and `top` are those of the first visible character, `bottom` that of the last."""
    start = found.start() + len(found[0]) - len(found[0].lstrip())
    first, last = pdfium_c.FS_RECTF(), pdfium_c.FS_RECTF()
    pdfium_c.FPDFText_GetLooseCharBox(page, start, first)
    pdfium_c.FPDFText_GetLooseCharBox(page, found.start() + len(found[0].rstrip()) - 1, last)
    matrix = pdfium_c.FS_MATRIX()
    size = pdfium_c.FPDFText_GetFontSize(page, start)
    if pdfium_c.FPDFText_GetMatrix(page, start, matrix):
        size *= max(abs(matrix.d), abs(matrix.b)) or 1.0
    return Line(found[0], round(size, 1), first.top, last.bottom)


def _form_values(document: pdfium.PdfDocument, page: pdfium.PdfPage) -> list[Line]:
    """What was filled into a form: the name of each field, and its value."""
    if document.formenv is None:
        return []
    lines: list[Line] = []
    for number in range(pdfium_c.FPDFPage_GetAnnotCount(page)):
        annotation = pdfium_c.FPDFPage_GetAnnot(page, number)
        if not annotation:
            continue
        if pdfium_c.FPDFAnnot_GetSubtype(annotation) == pdfium_c.FPDF_ANNOT_WIDGET:
            name, value = (
                _read_string(read, document.formenv, annotation)
                for read in (pdfium_c.FPDFAnnot_GetFormFieldName, pdfium_c.FPDFAnnot_GetFormFieldValue)
            )
            if value and value != _NOT_CHECKED:
                lines.append(Line(f"{name}: {value}" if name else value, 0, 0, 0))
        pdfium_c.FPDFPage_CloseAnnot(annotation)
    return lines


def _read_string(read: pdfium_c.CFUNCTYPE, form: pdfium.PdfFormEnv, annotation: object) -> str:
    size = min(read(form, annotation, None, 0), _LONGEST_VALUE)
    buffer = ctypes.create_string_buffer(size)
    read(form, annotation, ctypes.cast(buffer, ctypes.POINTER(pdfium_c.FPDF_WCHAR)), size)
    return one_line(buffer.raw.decode("utf-16-le", "ignore").rstrip("\0"))


def _write_page(lines: Sequence[Line], usual: float, writer: Writer) -> None:
    waiting: list[Line] = []
    for line in lines:
        if waiting and not _continues(waiting[-1], line, usual):
            _write(waiting, usual, writer)
            waiting = []
        waiting.append(line)
    _write(waiting, usual, writer)


def _continues(above: Line, line: Line, usual: float) -> bool:
    """Whether a line belongs to the paragraph, or to the heading, of the one above."""
    if is_heading(above, usual) != is_heading(line, usual):
        return False
    height = max(above.size, 1.0)
    return -2 * height <= above.bottom - line.top <= _GAP * height or above.size == line.size == 0


def _write(lines: Sequence[Line], usual: float, writer: Writer) -> None:
    text = _HYPHEN.sub("", "\n".join(line.text for line in lines))
    if lines and is_heading(lines[0], usual) and len(text) <= MAX_HEADING:
        writer.title(1 if lines[0].size > _MUCH_LARGER * usual else 2, text)
    else:
        writer.block(clean(text))


def _title(document: pdfium.PdfDocument) -> str:
    return one_line(str(document.get_metadata_value("Title")))


def _language(document: pdfium.PdfDocument) -> str:
    size = min(pdfium_c.FPDFCatalog_GetLanguage(document, None, 0), _LONGEST_VALUE)
    buffer = ctypes.create_string_buffer(size)
    pdfium_c.FPDFCatalog_GetLanguage(document, ctypes.cast(buffer, ctypes.POINTER(pdfium_c.FPDF_WCHAR)), size)
    return buffer.raw.decode("utf-16-le", "ignore").rstrip("\0")
