"""Text in images and scanned pages, read by Tesseract."""

from __future__ import annotations

import struct
import zlib
from shutil import which

import pypdfium2 as pdfium
import pytest

from partywall.core.text_process.processes import TextLimits, TextProcesses
from partywall.features.documents.extraction import recognize
from partywall.features.documents.readers.archive import Entries
from partywall.features.documents.readers.file_text import FileText, Reason, UnreadableFileError
from partywall.features.documents.readers.ocr import Ocr
from partywall.features.documents.readers.process import Asked, read_answer, read_file, request
from tests.features.documents.hostile_files import pdf_of, stream
from tests.features.documents.made_files import pdf

LIMITS = TextLimits(at_once=1, cpu_seconds=60, memory=512 * 1024 * 1024)
PROGRAM = which("tesseract")


def drawn(text: str) -> tuple[int, int, bytes]:
    """A picture of a line of text: width, height and grey pixels."""
    document = pdfium.PdfDocument(pdf([(24, text)]))
    bitmap = document[0].render(scale=2, grayscale=True, crop=(0, 700, 0, 0))
    pixels = bytes(bitmap.buffer)
    rows = [pixels[at : at + bitmap.width] for at in range(0, bitmap.stride * bitmap.height, bitmap.stride)]
    return bitmap.width, bitmap.height, b"".join(rows)


def png(text: str) -> bytes:
    width, height, pixels = drawn(text)
    rows = b"".join(b"\0" + pixels[at : at + width] for at in range(0, len(pixels), width))

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">L", len(data)) + kind + data + struct.pack(">L", zlib.crc32(kind + data))

    header = struct.pack(">LLBBBBB", width, height, 8, 0, 0, 0, 0)
    parts = chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + parts


def scan(*texts: str) -> bytes:
    """A PDF with a picture on each page."""
    objects: list[str | bytes] = ["<< /Type /Catalog /Pages 2 0 R >>", ""]
    for text in texts:
        width, height, pixels = drawn(text)
        image = f"/Type /XObject /Subtype /Image /Width {width} /Height {height} /BitsPerComponent 8"
        objects.append(stream(zlib.compress(pixels), f"{image} /ColorSpace /DeviceGray /Filter /FlateDecode"))
        objects.append(stream(b"600 0 0 150 0 0 cm /X Do", ""))
        objects.append(
            f"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 600 150] /Contents {len(objects)} 0 R"
            f" /Resources << /XObject << /X {len(objects) - 1} 0 R >> >> >>"
        )
    kids = " ".join(f"{number} 0 R" for number in range(5, len(objects) + 1, 3))
    objects[1] = f"<< /Type /Pages /Kids [{kids}] /Count {len(texts)} >>"
    return pdf_of(objects)


async def read(media_type: str, data: bytes, ocr: Ocr | None) -> FileText | Entries:
    answer = await TextProcesses(LIMITS).run(read_file, request(Asked(media_type, ocr=ocr)) + data, len(data), 60)
    return read_answer(answer)


async def test_without_ocr_images_and_scans_have_a_reason() -> None:
    for media_type, data, reason in (
        ("image/png", png("x"), Reason.UNSUPPORTED),
        ("application/pdf", scan("x"), Reason.NO_TEXT),
    ):
        with pytest.raises(UnreadableFileError) as refused:
            await read(media_type, data, None)
        assert refused.value.reason is reason


@pytest.mark.parametrize(
    ("head", "media_type"),
    [(b"\x89PNG\r\n\x1a\n\0", "image/png"), (b"\xff\xd8\xff\xe0\0", "image/jpeg"), (b"II*\0\0", "image/tiff"),
     (b"RIFF\0\0\0\0WEBPVP8 ", "image/webp")],
)  # fmt: skip
def test_images_are_recognized_by_their_bytes(head: bytes, media_type: str) -> None:
    assert recognize(head, None, "scan.bin", images=True).media_type == media_type


@pytest.mark.skipif(PROGRAM is None, reason="tesseract is not installed")
async def test_images_and_scanned_pages_are_read_within_limits() -> None:
    ocr = Ocr(str(PROGRAM), "eng", pages=2, seconds=60)
    found = await read("image/png", png("The walrus signs on Friday"), ocr)
    assert found == FileText("The walrus signs on Friday", ocr="1 of 1 pages")
    found = await read("application/pdf", scan("Page one", "Page two", "Page three"), ocr)
    assert found == FileText("Page one\n\f\nPage two\n\f", ocr="2 of 3 pages")
    for damaged in (png("x")[:60], b"\x89PNG\r\n\x1a\n" + bytes(1_000)):
        with pytest.raises(UnreadableFileError) as refused:
            await read("image/png", damaged, ocr)
        assert refused.value.reason is Reason.DAMAGED
    assert (await read("application/pdf", pdf([(20, "Words")]), ocr)) == FileText("Words", "", "en-GB")
