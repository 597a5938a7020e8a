"""What `partywall serve` refuses before it makes or starts anything."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

PATIENCE = 60.0


@pytest.mark.parametrize(
    ("changed", "names"),
    [
        ({"ENVIRONMENT": "production"}, "production"),
        ({"SECRET_KEY": "changethis"}, "SECRET_KEY"),
        ({"DATABASE__POOL_SIZE": "very-secret"}, "DATABASE__POOL_SIZE"),
        ({"MAIL__ENGINE": "pigeon"}, "MAIL__ENGINE"),
    ],
)
def test_bad_settings_are_one_line_and_leave_nothing(tmp_path: Path, changed: dict[str, str], names: str) -> None:
    command = [sys.executable, "-m", "partywall", "serve", "--data-dir", "data"]
    done = subprocess.run(
        command, cwd=tmp_path, env=changed, capture_output=True, text=True, timeout=PATIENCE, check=False
    )
    assert done.returncode == 2
    assert done.stdout == ""
    assert done.stderr.startswith("partywall: ")
    assert names in done.stderr
    assert done.stderr.count("\n") == 1
    assert "very-secret" not in done.stderr
    assert list(tmp_path.iterdir()) == []
