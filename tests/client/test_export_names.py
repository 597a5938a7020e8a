from __future__ import annotations

import string

import pytest
from hypothesis import strategies as st

from partywall.client.document_export.names import LONGEST_NAME, LONGEST_PATH, FileNames, is_inert, safe_path
from tests.properties import given


@pytest.mark.parametrize(
    ("name", "path"),
    [
        ("docs/a b.md", "docs/a b.md"),
        ("Größe/übung.pdf", "Größe/übung.pdf"),
        ("../../etc/passwd", "etc/passwd"),
        ("/etc/passwd", "etc/passwd"),
        ("..", "document"),
        ("", "document"),
        ("a/./b//c/..", "a/b/c"),
        ("C:\\Users\\x.txt", "C_/Users/x.txt"),
        ("CON/nul.txt", "_CON/_nul.txt"),
        ("a. /b ...", "a/b"),
        ('a<b>"c|d?e*f.md', "a_b__c_d_e_f.md"),
        ("line\nbreak\0\x1b[31m\u202e.md", "line_break__[31m_.md"),
        ("half \ud800.md", "half _.md"),
        ("x~", "x"),
        (".git/config", "_git/config"),
        (" .GIT./.envrc", "_GIT/_envrc"),
        ("\u200c.git/a", "_.git/a"),
        ("\ufe0f.git/\uff0egit/\u2024git", "_.git/_git/_git"),
        ("GIT~1/a~12.txt/a~b", "GIT_1/a_12.txt/a~b"),
        ("bare/HEAD", "bare/_HEAD"),
        ("head./head.html", "_head/head.html"),
        ("Desktop.ini", "_Desktop.ini"),
    ],
)
def test_a_name_is_valid_everywhere(name: str, path: str) -> None:
    assert safe_path(name) == path


def test_long_names_keep_their_suffix() -> None:
    assert safe_path(f"{'ü' * 300}.pdf") == f"{'ü' * 48}.pdf"
    assert safe_path("/".join(["folder"] * 60) + "/end.pdf") == "end.pdf"


@given(st.lists(st.text(st.sampled_from([*string.printable, "ü", "Ü", "\u202e", "~"]), max_size=30), max_size=30))
def test_each_document_has_a_path_of_its_own(external_ids: list[str]) -> None:
    names = FileNames()
    given_paths = [names.give(each, "title", "text/plain") for each in external_ids]
    folded = [path.casefold() for path in given_paths]
    assert len(set(folded)) == len(folded)
    for path in folded:
        assert not any(other.startswith(f"{path}/") for other in folded)
        assert len(path.encode()) <= LONGEST_PATH + LONGEST_NAME
        assert is_inert(path)
        assert all(part and not part.startswith(".") and not part.endswith((".", " ", "~")) for part in path.split("/"))


def test_names_that_differ_in_case_only_are_told_apart() -> None:
    names = FileNames()
    first, second = names.give("README.md", "", ""), names.give("readme.md", "", "")
    assert first == "README.md"
    assert second.startswith("readme~")
    assert second.endswith(".md")


def test_a_document_without_an_external_id_is_called_by_its_title() -> None:
    assert FileNames().give(None, "Report 1/2", "application/pdf") == "Report 1_2.pdf"
