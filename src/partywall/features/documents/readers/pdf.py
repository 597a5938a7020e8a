"""PDF, by PDFium: page by page, with headings by their size of type, and without what is repeated on every page."""

from __future__ import annotations

import ctypes
import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Final

import pypdfium2 as pdfium
import pypdfium2.raw as pdfium_c

from partywall.features.documents.readers.file_text import MAX_PAGES, FileText, Reason, UnreadableFileError
from partywall.features.documents.readers.layout import MAX_HEADING, Writer, best_title, clean, one_line
from partywall.features.documents.readers.ocr import Ocr
from partywall.features.documents.readers.pdf_scans import recognized, scanned_texts

_PASSWORD_ERRORS: Final = (pdfium_c.FPDF_ERR_PASSWORD, pdfium_c.FPDF_ERR_SECURITY)
# A heading's type is larger than that of the text by this factor.
_LARGER: Final = 1.15
_MUCH_LARGER: Final = 1.5
# The largest gap between two lines of a paragraph, in sizes of type.
_GAP: Final = 0.6
# Lines at the top and bottom of pages that are compared with those of other pages.
_EDGE: Final = 3
_FEWEST_PAGES: Final = 3
_FEWEST_LETTERS: Final = 20  # of a page header in large type
_FEWEST_LINES: Final = 3  # of a page with a header
_MOST_OBJECTS: Final = 20_000  # of a page
_NO_WIDTH: Final = 0.01
_SLANT: Final = 0.002
_RUN_STEP: Final = 2
_NUMBER: Final = re.compile(r"\d{1,9}")
_DIGITS: Final = re.compile(r"\d+|\b[ivxlcIVXLC]+\b")
_LINE: Final = re.compile(r"[^\r\n]+")
_LAM_AFTER_ALEF: Final = re.compile("[\u0622\u0623\u0625\u0627\u0671]\u0644")
# PDFium writes these for a hyphen at the end of a line.
_HYPHEN: Final = re.compile("[\x02\ufffe]\r?\n?")
_NOT_CHECKED: Final = "Off"
_LONGEST_VALUE: Final = 4_096


@dataclass(frozen=True, slots=True)
class _Line:
    """`size` is the size of its type; `top` and `bottom` are its edges, in points from the page's bottom.

    PDFium joins lines with a hyphen between them, so one may be several lines high.
    """

    text: str
    size: float
    top: float
    bottom: float


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
    usual = _usual_size(whole)
    found = _without_runs(_without_repeated(whole, usual), usual)
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


def _read_page(document: pdfium.PdfDocument, number: int) -> list[_Line] | None:
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


def _measured(page: pdfium.PdfTextPage, found: re.Match[str]) -> _Line:
    """`size` and `top` are those of the first visible character, `bottom` that of the last."""
    start = found.start() + len(found[0]) - len(found[0].lstrip())
    first, last = pdfium_c.FS_RECTF(), pdfium_c.FS_RECTF()
    pdfium_c.FPDFText_GetLooseCharBox(page, start, first)
    pdfium_c.FPDFText_GetLooseCharBox(page, found.start() + len(found[0].rstrip()) - 1, last)
    matrix = pdfium_c.FS_MATRIX()
    size = pdfium_c.FPDFText_GetFontSize(page, start)
    if pdfium_c.FPDFText_GetMatrix(page, start, matrix):
        size *= max(abs(matrix.d), abs(matrix.b)) or 1.0
    return _Line(found[0], round(size, 1), first.top, last.bottom)


def _form_values(document: pdfium.PdfDocument, page: pdfium.PdfPage) -> list[_Line]:
    """What was filled into a form: the name of each field, and its value."""
    if document.formenv is None:
        return []
    lines: list[_Line] = []
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
                lines.append(_Line(f"{name}: {value}" if name else value, 0, 0, 0))
        pdfium_c.FPDFPage_CloseAnnot(annotation)
    return lines


def _read_string(read: pdfium_c.CFUNCTYPE, form: pdfium.PdfFormEnv, annotation: object) -> str:
    size = min(read(form, annotation, None, 0), _LONGEST_VALUE)
    buffer = ctypes.create_string_buffer(size)
    read(form, annotation, ctypes.cast(buffer, ctypes.POINTER(pdfium_c.FPDF_WCHAR)), size)
    return one_line(buffer.raw.decode("utf-16-le", "ignore").rstrip("\0"))


def _without_repeated(pages: Sequence[Sequence[_Line]], usual: float) -> list[list[_Line]]:
    """The pages without the headers and footers that most of them have. The first of each is kept."""
    if len(pages) < _FEWEST_PAGES:
        return [list(lines) for lines in pages]
    counted = Counter(key for lines in pages for key in {_key(line, usual) for line in _edges(lines)})
    # Left and right pages may have two different ones.
    repeated = {key for key, times in counted.items() if times >= max(_FEWEST_PAGES, 0.4 * len(pages))}
    seen: set[str] = set()
    found: list[list[_Line]] = []
    for lines in pages:
        edges = {id(line) for line in _edges(lines)}
        kept: list[_Line] = []
        for line in lines:
            key = _key(line, usual) if id(line) in edges else ""
            if key not in repeated:
                kept.append(line)
            elif key not in seen and any(map(str.isalpha, line.text)):
                kept.append(replace(line, size=usual) if found else line)  # no heading, unless of the first page
            seen.add(key)
        found.append(kept)
    return found


def _without_runs(pages: Sequence[list[_Line]], usual: float) -> list[list[_Line]]:
    """The pages without headers and footers that change by chapter: the first of each run is kept.

    A run has the same text at the same place, apart from the number of the page, on this page and the next or the one
    after that: left and right pages may differ. Rows of tables that go on have no gap between them and the text.
    """
    begun: dict[tuple[str, int, float], tuple[int, list[int], list[_Line]]] = {}
    dropped: set[int] = set()
    for number, lines in enumerate(pages):
        for line in _apart(lines, usual):
            text = one_line(line.text)
            key, numbers = (_NUMBER.sub("#", text), round(line.top), line.size), [int(n) for n in _NUMBER.findall(text)]
            before, counted, run = begun.get(key, (number, numbers, []))
            goes_on = number - before <= _RUN_STEP and _counts_on(counted, numbers, number - before)
            run = [*run[1 - _FEWEST_PAGES :], line] if goes_on else [line]
            begun[key] = number, numbers, run
            if len(run) == _FEWEST_PAGES:
                dropped.update(map(id, run[1:]))
    return [[line for line in lines if id(line) not in dropped] for lines in pages]


def _apart(lines: Sequence[_Line], usual: float) -> Iterator[_Line]:
    """The first and the last line, if they have letters, are no headings, and stand apart from the text."""
    if len(lines) < _FEWEST_LINES:
        return
    for line, gap in ((lines[0], lines[0].bottom - lines[1].top), (lines[-1], lines[-2].bottom - lines[-1].top)):
        if gap > line.size > 0 and not _is_heading(line, usual) and any(map(str.isalpha, line.text)):
            yield line


def _counts_on(before: Sequence[int], numbers: Sequence[int], pages: int) -> bool:
    """Whether each number is the same, or that of the page."""
    return all(after - first in (0, pages) for first, after in zip(before, numbers, strict=True))


def _edges(lines: Sequence[_Line]) -> Iterator[_Line]:
    yield from lines[:_EDGE]
    yield from lines[max(_EDGE, len(lines) - _EDGE) :]


def _key(line: _Line, usual: float) -> str:
    """The same for lines that differ in their numbers only, unless they are headings such as `Chapter 2`."""
    text = one_line(line.text)
    plain = _DIGITS.sub("#", text)
    return text if _is_heading(line, usual) and sum(map(str.isalpha, plain)) < _FEWEST_LETTERS else plain


def _usual_size(pages: Sequence[Sequence[_Line]]) -> float:
    sizes: Counter[float] = Counter()
    for lines in pages:
        for line in lines:
            sizes[line.size] += len(line.text)
    return sizes.most_common(1)[0][0] if sizes else 0.0


def _write_page(lines: Sequence[_Line], usual: float, writer: Writer) -> None:
    waiting: list[_Line] = []
    for line in lines:
        if waiting and not _continues(waiting[-1], line, usual):
            _write(waiting, usual, writer)
            waiting = []
        waiting.append(line)
    _write(waiting, usual, writer)


def _continues(above: _Line, line: _Line, usual: float) -> bool:
    """Whether a line belongs to the paragraph, or to the heading, of the one above."""
    if _is_heading(above, usual) != _is_heading(line, usual):
        return False
    height = max(above.size, 1.0)
    return -2 * height <= above.bottom - line.top <= _GAP * height or above.size == line.size == 0


def _is_heading(line: _Line, usual: float) -> bool:
    return line.size > _LARGER * usual > 0 and len(line.text) <= MAX_HEADING and any(map(str.isalpha, line.text))


def _write(lines: Sequence[_Line], usual: float, writer: Writer) -> None:
    text = _HYPHEN.sub("", "\n".join(line.text for line in lines))
    if lines and _is_heading(lines[0], usual) and len(text) <= MAX_HEADING:
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
