"""The table of rights is printed from its source, and the documentation contains the same table."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from partywall.cli import run
from partywall.core.tenancy import Role
from partywall.features.registry import FEATURES

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
    rights = [right for feature in FEATURES for right in feature.rights]
    for right, (name, what, *cells) in zip(rights, rows, strict=True):
        assert (name, what) == (f"`{right.name}`", right.allows)
        for role, cell in zip(heading[2:], cells, strict=True):
            assert cell == ("" if Role(role) not in right.roles else "people" if right.for_people else "yes")


def test_the_terminal_shows_the_same_cells(capsys: pytest.CaptureFixture[str]) -> None:
    text, markdown = printed(capsys), printed(capsys, "--markdown")
    for cell in ("yes", "people"):
        assert len(re.findall(rf"\b{cell}\b", text)) == len(re.findall(rf"\b{cell}\b", markdown))
