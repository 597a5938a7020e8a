"""Reads pages of a PDF that have no text, such as scanned ones, as images."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from typing import Final

import pypdfium2 as pdfium
import pypdfium2.raw as pdfium_c

from partywall.features.documents.readers.file_text import Reason, UnreadableFileError
from partywall.features.documents.readers.ocr import Ocr, image_text

_PER_POINT: Final = 300 / 72
_LONGEST_EDGE: Final = 4_000


def scanned_texts(document: pdfium.PdfDocument, blank: Iterable[int], ocr: Ocr) -> dict[int, str | None]:
    """Texts by number, of those of the `blank` pages that show something; None beyond a limit of the settings."""
    texts: dict[int, str | None] = {}
    for number in blank:
        page = document[number]
        if pdfium_c.FPDFPage_CountObjects(page) > 0:
            within = len(texts) < ocr.pages and ocr.has_time
            texts[number] = _text(page, ocr) if within else None
        page.close()
    return texts


def recognized(texts: Collection[str | None]) -> str:
    """How many of the pages were read, for the document's metadata."""
    return f"{sum(text is not None for text in texts)} of {len(texts)} pages"


def _text(page: pdfium.PdfPage, ocr: Ocr) -> str | None:
    try:
        return image_text(_drawn(page), ocr)
    except UnreadableFileError as error:
        return None if error.reason is Reason.TOO_COSTLY else ""


def _drawn(page: pdfium.PdfPage) -> bytes:
    """The page as a grey image (PGM)."""
    scale = min(_PER_POINT, _LONGEST_EDGE / max(*page.get_size(), 1.0))
    bitmap = page.render(scale=scale, grayscale=True)
    width, height, stride = bitmap.width, bitmap.height, bitmap.stride
    pixels = bytes(bitmap.buffer)
    bitmap.close()
    rows = pixels if stride == width else b"".join(pixels[at : at + width] for at in range(0, stride * height, stride))
    return b"P5 %d %d 255\n" % (width, height) + rows
