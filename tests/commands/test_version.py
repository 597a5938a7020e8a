from __future__ import annotations

import pytest

from partywall import __version__
from partywall.cli import run


def test_the_version_is_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["--version"]) == 0
    assert capsys.readouterr().out == f"partywall {__version__}\n"
