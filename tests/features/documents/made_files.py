"""Makes small files of many kinds."""

from __future__ import annotations

import zipfile
import zlib
from collections.abc import Mapping, Sequence
from io import BytesIO
from pathlib import Path
from typing import Final

FILES: Final = Path(__file__).parent / "files"
_RELATIONS: Final = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
_ROOT: Final = (
    f'<Relationships><Relationship Id="r1" Type="{_RELATIONS}/officeDocument" Target="{{main}}"/></Relationships>'
)


def packed(parts: Mapping[str, str | bytes]) -> bytes:
    file = BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, part in parts.items():
            archive.writestr(name, part)
    return file.getvalue()


def replaced(package: bytes, name: str, before: bytes, after: bytes) -> bytes:
    """The package with other bytes in one of its parts."""
    with zipfile.ZipFile(BytesIO(package)) as archive:
        parts = {each: archive.read(each) for each in archive.namelist()}
    assert before in parts[name]
    return packed({**parts, name: parts[name].replace(before, after)})


def docx(body: str, **others: str) -> bytes:
    """Word's parts: `body` and `others` (`styles`, `header1`, `footnotes`, ...) are XML."""
    links = "".join(
        f'<Relationship Id="{name}" Type="{_RELATIONS}/{name.rstrip("0123456789")}" Target="{name}.xml"/>'
        for name in others
    )
    return packed(
        {
            "_rels/.rels": _ROOT.format(main="word/document.xml"),
            "word/document.xml": f"<w:document xmlns:w='w'><w:body>{body}</w:body></w:document>",
            "word/_rels/document.xml.rels": f"<Relationships>{links}</Relationships>",
            **{f"word/{name}.xml": part for name, part in others.items()},
        }
    )


def zipped(data: bytes) -> bytes:
    """As `packed` compresses it."""
    packer = zlib.compressobj(wbits=-15)
    return packer.compress(data) + packer.flush()


def pptx(slide: str) -> bytes:
    return packed(
        {
            "_rels/.rels": _ROOT.format(main="ppt/presentation.xml"),
            "ppt/presentation.xml": "<p:presentation xmlns:p='p' xmlns:r='r'><p:sldId r:id='s1'/></p:presentation>",
            "ppt/_rels/presentation.xml.rels": (
                f'<Relationships><Relationship Id="s1" Type="{_RELATIONS}/slide" Target="slides/slide1.xml"/>'
                "</Relationships>"
            ),
            "ppt/slides/slide1.xml": slide,
        }
    )


def paragraph(text: str, properties: str = "") -> str:
    return f"<w:p><w:pPr>{properties}</w:pPr><w:r><w:t>{text}</w:t></w:r></w:p>"


def odt(body: str, *, kind: str = "text", styles: str = "<a/>", manifest: str = "<a/>") -> bytes:
    spaces = "xmlns:office='o' xmlns:text='t' xmlns:table='b' xmlns:draw='d' xmlns:presentation='p'"
    return packed(
        {
            "mimetype": f"application/vnd.oasis.opendocument.{kind}",
            "content.xml": f"<office:document-content {spaces}>{body}</office:document-content>",
            "styles.xml": styles,
            "meta.xml": "<m xmlns:dc='d'><dc:title>The title</dc:title><dc:language>de-DE</dc:language></m>",
            "META-INF/manifest.xml": manifest,
        }
    )


def xlsx(*sheets: Sequence[Sequence[str]]) -> bytes:
    numbers = range(1, len(sheets) + 1)
    listed = "".join(f'<sheet name="Sheet {n}" sheetId="{n}" r:id="s{n}"/>' for n in numbers)
    links = "".join(
        f'<Relationship Id="s{n}" Type="{_RELATIONS}/worksheet" Target="worksheets/s{n}.xml"/>' for n in numbers
    )
    main = "http://schemas.openxmlformats.org/spreadsheetml/2006/main"
    return packed(
        {
            "[Content_Types].xml": "<Types/>",
            "_rels/.rels": _ROOT.format(main="xl/workbook.xml"),
            "xl/workbook.xml": f'<workbook xmlns="{main}" xmlns:r="{_RELATIONS}"><sheets>{listed}</sheets></workbook>',
            "xl/_rels/workbook.xml.rels": f"<Relationships>{links}</Relationships>",
            **{
                f"xl/worksheets/s{n}.xml": f'<worksheet xmlns="{main}"><sheetData>{_rows(rows)}</sheetData></worksheet>'
                for n, rows in zip(numbers, sheets, strict=True)
            },
        }
    )


def _rows(rows: Sequence[Sequence[str]]) -> str:
    return "".join(
        f'<row r="{y}">'
        + "".join(f'<c r="{chr(65 + x)}{y}" t="inlineStr"><is><t>{cell}</t></is></c>' for x, cell in enumerate(cells))
        + "</row>"
        for y, cells in enumerate(rows, start=1)
    )


def pdf(*pages: Sequence[tuple[int, str]], title: str = "") -> bytes:
    """Pages of lines, each a size of type and a text."""
    objects = [f"<< /Title ({title}) >>", "<< /Type /Catalog /Pages 3 0 R /Lang (en-GB) >>", ""]
    kids: list[str] = []
    for lines in pages:
        y = 800
        drawn = []
        for size, text in lines:
            y -= 2 * size if size > 12 else size + 2
            drawn.append(f"BT /F1 {size} Tf 1 0 0 1 50 {y} Tm ({text}) Tj ET")
        stream = "\n".join(drawn)
        objects.append(f"<< /Length {len(stream)} >>\nstream\n{stream}\nendstream")
        objects.append(
            f"<< /Type /Page /Parent 3 0 R /MediaBox [0 0 600 850] /Contents {len(objects)} 0 R /Resources"
            " << /Font << /F1 << /Type /Font /Subtype /Type1 /BaseFont /Helvetica >> >> >> >>"
        )
        kids.append(f"{len(objects)} 0 R")
    objects[2] = f"<< /Type /Pages /Kids [{' '.join(kids)}] /Count {len(kids)} >>"
    body = "%PDF-1.4\n"
    offsets = []
    for number, each in enumerate(objects, start=1):
        offsets.append(len(body))
        body += f"{number} 0 obj\n{each}\nendobj\n"
    table = "".join(f"{offset:010} 00000 n \n" for offset in offsets)
    size = len(objects) + 1
    return (
        f"{body}xref\n0 {size}\n0000000000 65535 f \n{table}"
        f"trailer << /Size {size} /Root 2 0 R /Info 1 0 R >>\nstartxref\n{len(body)}\n%%EOF\n"
    ).encode()
