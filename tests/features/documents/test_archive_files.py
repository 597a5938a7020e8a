"""The files of an archive are read one by one, each with its text or a reason."""

from __future__ import annotations

import pytest

from partywall.features.documents.readers.file_text import Reason, UnreadableFileError
from tests.features.documents.made_files import (
    docx,
    packed,
    paragraph,
    zipped,
)
from tests.features.documents.read_files import entries_of


def test_the_files_of_an_archive_have_plain_paths_or_a_reason() -> None:
    inner = packed({"c.txt": "x"})
    names = {"b/a.md": "# One", "/etc/./b.txt": "2", "C:\\d\\c.txt": "3", "x/../../d.txt": "4", "e\u202e.txt": "5"}
    junk = {"__MACOSX/x.txt": "x", ".hidden/y.txt": "y", "empty.txt": "", "folder/": ""}
    found = entries_of(packed({**names, **junk, "i.zip": inner, "f.docx": docx(paragraph("x"))}))
    reasons = {each.path: each.reason for each in found.entries}
    assert reasons == {
        "b/a.md": None, "etc/b.txt": None, "d/c.txt": None, "x/../../d.txt": Reason.UNSAFE_NAME,
        "e\ufffd.txt": Reason.UNSAFE_NAME, "i.zip": Reason.NESTED_ARCHIVE, "f.docx": None,
    }  # fmt: skip
    assert (found.entries[0].data, found.following) == (b"# One", None)


def test_good_files_of_a_bad_archive_are_read() -> None:
    whole = packed({"good.txt": "good", "bad.txt": "bad" * 50, "secret.txt": "secret"})
    broken = whole.replace(zipped(b"bad" * 50), b"\xff" * len(zipped(b"bad" * 50)))
    at = broken.rindex(b"PK\x01\x02") + 8  # the flags of the last file
    found = entries_of(broken[:at] + b"\x01" + broken[at + 1 :])
    assert [(each.path, each.reason) for each in found.entries] == [
        ("good.txt", None), ("bad.txt", Reason.DAMAGED), ("secret.txt", Reason.PASSWORD_PROTECTED),
    ]  # fmt: skip


def test_an_archive_is_read_in_parts_and_within_a_count() -> None:
    whole = packed({f"{number:03}.txt": "x" for number in range(70)})
    paths: list[str] = []
    following: int | None = 0
    while following is not None:
        found = entries_of(whole, following)
        assert len(found.entries) <= 32
        paths += [each.path for each in found.entries]
        following = found.following
    assert paths == [f"{number:03}.txt" for number in range(70)]
    with pytest.raises(UnreadableFileError) as refused:
        entries_of(whole, max_files=69)
    assert refused.value.reason is Reason.TOO_MANY_FILES


@pytest.mark.parametrize(
    ("charset", "name"), [("shift_jis", "資料のまとめ.txt"), ("utf-8", "Übung.txt"), ("cp437", "Übung.txt")]
)
def test_names_in_old_archives_are_decoded(charset: str, name: str) -> None:
    raw = name.encode(charset)
    whole = packed({"n" * len(raw): "x"}).replace(b"n" * len(raw), raw)
    assert [each.path for each in entries_of(whole).entries] == [name]
