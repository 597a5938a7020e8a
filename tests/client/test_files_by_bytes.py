"""Files that the server recognizes by their bytes are sent to it as they are, whatever their names say."""

from __future__ import annotations

from pathlib import Path

import pytest

from partywall.client.document_import import LocalDocument, documents_in
from partywall.features.documents.extraction import recognize
from partywall.formats.text_signs import HEAD

PDF = b"%PDF-1.7\n1 0 obj\n\xe2\xe3\0"


@pytest.mark.parametrize(
    ("name", "data", "media_type"),
    [
        ("a.html", PDF, "application/pdf"),
        ("a.md", PDF, "application/pdf"),
        ("a.txt", b"%PDF-1.7 in ASCII alone", "application/pdf"),
        ("a.md", b"PK\x03\x04\0\0", "application/zip"),
        ("a.zip", b"PK\x05\x06" + bytes(18), "application/zip"),
        ("a.txt", rb"{\rtf1 x}", "application/rtf"),
        ("a.md", b"", "text/markdown"),
    ],
)
def test_the_bytes_decide_on_both_sides(tmp_path: Path, name: str, data: bytes, media_type: str) -> None:
    (tmp_path / name).write_bytes(data)
    [found] = documents_in(tmp_path, tmp_path / name)
    assert isinstance(found, LocalDocument)
    assert found.upload is not None
    assert recognize(data[:HEAD], None, name).media_type == media_type
