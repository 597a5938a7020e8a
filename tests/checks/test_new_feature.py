"""`partywall new feature` refuses what could not work, in one line."""

from __future__ import annotations

from pathlib import Path

import pytest

from partywall.cli import run


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("Orders", "has no valid name"),
        ("documents", "has a name that is taken: choose another"),
        ("document", "has a name with which our table document begins"),
        ("current", "has a name with which our function current_principal begins"),
        ("wall", "has a name with which our schema wall begins"),
        ("tests", "has a name that SQL, Python or a package's tests use"),
        ("none", "has a name that SQL, Python or a package's tests use"),
        ("mail", "has settings in the section MAIL, which is ours"),
        ("json", "has the name of a Python module or keyword"),
        ("lambda", "has the name of a Python module or keyword"),
        ("../orders", "has no valid name"),
    ],
)
def test_a_name_that_cannot_be_used_is_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], name: str, said: str
) -> None:
    assert run(["new", "feature", name, "--dir", str(tmp_path / "new")]) == 2
    printed = capsys.readouterr()
    assert (printed.out, printed.err.count("\n")) == ("", 1)
    assert said in printed.err
    assert not (tmp_path / "new").exists()


def test_an_existing_directory_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["new", "feature", "bills", "--dir", str(tmp_path)]) == 2
    assert "exists already: give another directory with --dir" in capsys.readouterr().err
