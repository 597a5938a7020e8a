"""Reads a file as a text process does."""

from __future__ import annotations

import pytest

from partywall.features.documents.readers.archive import Entries
from partywall.features.documents.readers.file_text import FileText, Reason, UnreadableFileError
from partywall.features.documents.readers.process import Asked, read_answer, read_file, request
from partywall.formats.file_kinds import media_type_by_name


def read(name: str, data: bytes, *, charset: str = "") -> FileText:
    asked = Asked(media_type_by_name(name) or "application/octet-stream", charset=charset)
    found = read_answer(read_file(request(asked) + data))
    assert isinstance(found, FileText)
    return found


def refusal(name: str, data: bytes) -> Reason:
    with pytest.raises(UnreadableFileError) as refused:
        read(name, data)
    return refused.value.reason


def entries_of(data: bytes, first: int = 0, max_files: int = 1_000) -> Entries:
    found = read_answer(read_file(request(Asked("application/zip", first, max_files)) + data))
    assert isinstance(found, Entries)
    return found
