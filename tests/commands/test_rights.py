"""The table of rights is printed from its source, and the documentation contains the same table."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from partywall.cli import run
from partywall.core.tenancy import Role
from partywall.features.projects.rights import FOR_USERS, RIGHTS, Right

PAGE = Path(__file__).parents[2] / "docs" / "reference" / "roles.md"
BLOCK = re.compile(r"<!-- rights: [^\n]*-->\n(.*?)<!-- /rights -->", re.DOTALL)


def printed(capsys: pytest.CaptureFixture[str], *options: str) -> str:
    assert run(["rights", *options]) == 0
    return capsys.readouterr().out


def test_the_documentation_shows_what_is_printed(capsys: pytest.CaptureFixture[str]) -> None:
    [block] = BLOCK.findall(PAGE.read_text())
    assert block == printed(capsys, "--markdown")


def test_every_role_and_right_is_in_it_as_it_is_enforced(capsys: pytest.CaptureFixture[str]) -> None:
    lines = [
        [cell.strip() for cell in line.strip("|").split("|")] for line in printed(capsys, "--markdown").splitlines()
    ]
    heading, _, *rows = lines
    assert sorted(heading[2:]) == sorted(Role)
    assert [row[0].strip("`") for row in rows] == list(Right)
    for right, what, *cells in rows:
        assert what
        for name, cell in zip(heading[2:], cells, strict=True):
            held, alone = Right(right.strip("`")) in RIGHTS[Role(name)], Right(right.strip("`")) in FOR_USERS
            assert cell == ("" if not held else "people" if alone else "yes")


def test_the_terminal_shows_the_same_cells(capsys: pytest.CaptureFixture[str]) -> None:
    text, markdown = printed(capsys), printed(capsys, "--markdown")
    for cell in ("yes", "people"):
        assert len(re.findall(rf"\b{cell}\b", text)) == len(re.findall(rf"\b{cell}\b", markdown))
