"""Makes files that would take much time, memory or output to read, or that lie about themselves."""

from __future__ import annotations

import struct
import zipfile
import zlib
from collections.abc import Callable, Sequence
from io import BytesIO
from typing import Final, NamedTuple

from tests.features.documents.made_files import FILES, docx, odt, packed, replaced, xlsx

_MAIN: Final = "http://schemas.openxmlformats.org/spreadsheetml/2006/main"
_SHARED: Final = (
    '<Relationship Id="x" Target="sharedStrings.xml"'
    ' Type="http://schemas.openxmlformats.org/officeDocument/2006/relationships/sharedStrings"/></Relationships>'
)
_PAGE: Final = (
    "<< /Type /Page /Parent 2 0 R /MediaBox [0 0 600 800] /Contents 4 0 R /Resources << /XObject << /X 5 0 R >>"
    " /Font << /F1 << /Type /Font /Subtype /Type1 /BaseFont /Helvetica >> >> >> >>"
)
_LOOP: Final = "/Type /XObject /Subtype /Form /BBox [0 0 9 9] /Resources << /XObject << /X 5 0 R >> >>"


class Hostile(NamedTuple):
    """A file, and the codes that it may end with; `text` is what may be read in it."""

    name: str
    make: Callable[[], bytes]
    codes: str
    text: str = ""


def entities(root: str) -> str:
    """Ten entities, each ten times the one before."""
    declared = "".join(f"<!ENTITY a{n} '{f'&a{n - 1};' * 10}'>" for n in range(1, 10))
    return f"<?xml version='1.0'?><!DOCTYPE x [<!ENTITY a0 'ha'>{declared}]><{root}>&a9;</{root}>"


def overlapping(entries: int) -> bytes:
    """A directory that lists the same megabyte of zeros many times."""
    return _with_directory(packed({"a.txt": bytes(1_000_000)}), entries, lambda entry: entry)


def very_long() -> bytes:
    """A directory that says that its file has 2**60 bytes."""
    extra = struct.pack("<HHQQ", 1, 16, 2**60, 2**60)
    return _with_directory(
        packed({"a.txt": "a"}),
        1,
        lambda entry: b"".join((entry[:20], b"\xff" * 8, entry[28:30], struct.pack("<H", 20), entry[32:], extra)),
    )


def _with_directory(whole: bytes, entries: int, change: Callable[[bytes], bytes]) -> bytes:
    start, end = whole.index(b"PK\x01\x02"), whole.index(b"PK\x05\x06")
    directory = change(whole[start:end]) * entries
    return (
        whole[:start] + directory + struct.pack("<4s4H2LH", b"PK\5\6", 0, 0, entries, entries, len(directory), start, 0)
    )


def nested(levels: int) -> bytes:
    inner = packed({"a.txt": bytes(100_000)})
    for _ in range(levels):
        inner = packed({f"{number}.zip": inner for number in range(10)})
    return inner


def book(page: str, times: int = 1) -> bytes:
    item = "<item id='1' href='1.html' media-type='text/html'/>"
    return packed(
        {
            "mimetype": "application/epub+zip",
            "META-INF/container.xml": "<c><rootfile full-path='b.opf'/></c>",
            "b.opf": f"<p>{item}{"<itemref idref='1'/>" * times}</p>",
            "1.html": page,
        }
    )


def shared_strings() -> bytes:
    """A string of a megabyte in 20,000 cells."""
    cells = "".join(f'<row r="{y}"><c r="A{y}" t="s"><v>0</v></c></row>' for y in range(1, 20_000))
    whole = replaced(xlsx([["a"]]), "xl/_rels/workbook.xml.rels", b"</Relationships>", _SHARED.encode())
    with zipfile.ZipFile(BytesIO(whole)) as archive:
        parts = {name: archive.read(name) for name in archive.namelist()}
    strings = f'<sst xmlns="{_MAIN}"><si><t>{"x" * 1_000_000}</t></si></sst>'.encode()
    sheet = f'<worksheet xmlns="{_MAIN}"><sheetData>{cells}</sheetData></worksheet>'.encode()
    return packed({**parts, "xl/sharedStrings.xml": strings, "xl/worksheets/s1.xml": sheet})


def pdf_of(objects: Sequence[str | bytes]) -> bytes:
    """Its first object is the catalog. It has no table of objects, so they are found by reading the file."""
    bodies = [each.encode() if isinstance(each, str) else each for each in objects]
    return b"".join(
        (
            b"%PDF-1.5\n",
            *(b"%d 0 obj\n%b\nendobj\n" % each for each in enumerate(bodies, 1)),
            b"trailer << /Root 1 0 R >>",
        )
    )


def stream(data: bytes, entries: str) -> bytes:
    return b"<< /Length %d %b >>\nstream\n%b\nendstream" % (len(data), entries.encode(), data)


def page_of(content: bytes, entries: str, *others: bytes) -> bytes:
    tree = ("<< /Type /Catalog /Pages 2 0 R >>", "<< /Type /Pages /Kids [3 0 R] /Count 1 >>", _PAGE)
    return pdf_of([*tree, stream(content, entries), *others])


def pages_of(tree: str) -> bytes:
    return pdf_of(["<< /Type /Catalog /Pages 2 0 R >>", f"<< /Type /Pages {tree} >>"])


def deflated_thrice() -> bytes:
    packer = zlib.compressobj(9)
    once = b"".join(packer.compress(bytes(10**7)) for _ in range(30)) + packer.flush()
    return page_of(zlib.compress(zlib.compress(once, 9), 9), f"/Filter [{'/FlateDecode ' * 3}]")


def looped(name: str) -> bytes:
    """A file of Office 97-2003 in which every sector is followed by itself."""
    data = bytearray((FILES / name).read_bytes())
    at = (struct.unpack_from("<L", data, 76)[0] + 1) * 512
    for sector in range(min(len(data) // 512 - 1, 128)):
        if struct.unpack_from("<L", data, at + 4 * sector)[0] < 0xFFFF_FFF0:
            struct.pack_into("<L", data, at + 4 * sector, sector)
    return bytes(data)


def mail(rest: bytes) -> bytes:
    return b"Subject: x\n" + rest


HOSTILE: Final = {
    "archive in archive": Hostile("a.zip", lambda: nested(3), "nested_archive"),
    "overlapping entries": Hostile("a.zip", lambda: overlapping(500), "too_large damaged"),
    "many entries": Hostile("a.zip", lambda: overlapping(30_000), "too_large damaged"),
    "64-bit size": Hostile("a.zip", very_long, "too_large damaged"),
    "impossible ratio": Hostile("a.docx", lambda: docx("").replace(b"\x00\x00", b"\xff\x7f"), "damaged"),
    "entities in DOCX": Hostile("a.docx", lambda: packed({"word/document.xml": entities("w")}), "damaged"),
    "entities in PPTX": Hostile("a.pptx", lambda: packed({"ppt/presentation.xml": entities("p")}), "damaged"),
    "entities in XLSX": Hostile("a.xlsx", lambda: packed({"xl/workbook.xml": entities("w")}), "damaged"),
    "entities in ODT": Hostile("a.odt", lambda: packed({"content.xml": entities("o")}), "damaged"),
    "entities in EPUB": Hostile("a.epub", lambda: packed({"META-INF/container.xml": entities("c")}), "damaged"),
    "entities in XML": Hostile("a.xml", lambda: entities("x").encode(), "unsupported"),
    "deep ODT": Hostile("a.odt", lambda: odt("<text:p>" * 50_000), "damaged"),
    "one page many times": Hostile("a.epub", lambda: book("x " * 200_000, 1_000), "too_large"),
    "shared strings": Hostile("a.xlsx", shared_strings, "too_costly too_large"),
    "many pages": Hostile("a.pdf", lambda: pages_of("/Kids [] /Count 2000000000"), "damaged"),
    "cyclic pages": Hostile("a.pdf", lambda: pages_of("/Kids [2 0 R 2 0 R] /Parent 2 0 R /Count 9999"), "damaged"),
    "deep PDF": Hostile("a.pdf", lambda: pages_of(f"/Kids [] /Count 0 /X {'[' * 200_000}"), "damaged"),
    "packed PDF": Hostile("a.pdf", deflated_thrice, "too_costly no_text"),
    "cyclic forms": Hostile(
        "a.pdf", lambda: page_of(b"/X Do " * 9, "", stream(b"/X Do " * 9, _LOOP)), "too_costly no_text"
    ),
    "deep mail": Hostile("a.eml", lambda: mail(_multipart(2_000)), "damaged"),
    "mail in mail": Hostile("a.eml", lambda: mail(b"Content-Type: message/rfc822\n\n" * 5_000), "damaged"),
    "many parts": Hostile("a.eml", lambda: mail(_parts(5_000)), "", "# x"),
    "no base64": Hostile(
        "a.eml", lambda: mail(b"Content-Transfer-Encoding: base64\n\n" + b"!@\xff==" * 100_000), "", "# x"
    ),
    "long subject": Hostile("a.eml", lambda: b"Subject: " + b"=?utf-8?q?a?= " * 100_000, "too_costly too_large"),
    "cyclic XLS": Hostile("a.xls", lambda: looped("numbers.xls"), "damaged"),
    "cyclic DOC": Hostile("a.doc", lambda: looped("german-headings.doc"), "damaged"),
    "cyclic MSG": Hostile("a.msg", lambda: looped("attachment.msg"), "damaged"),
    "one long line": Hostile("a.csv", lambda: ("x," * 6_000_000).encode("utf-16"), "too_large"),
    "deep RTF": Hostile("a.rtf", lambda: b"{\\rtf1 " + b"{" * 200_000 + b"x", "", "x"),
    "deep notebook": Hostile("a.ipynb", lambda: b'{"cells":%b}' % (b"[" * 50_000), "damaged"),
}


def _multipart(levels: int) -> bytes:
    return b"".join(b"Content-Type: multipart/mixed; boundary=b%d\n\n--b%d\n" % (n, n) for n in range(levels))


def _parts(count: int) -> bytes:
    return b"Content-Type: multipart/mixed; boundary=b\n\n" + b"--b\n\ntext\n" * count
