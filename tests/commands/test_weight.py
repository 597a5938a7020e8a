"""What a command imports before it begins."""

from __future__ import annotations

import subprocess
import sys

import pytest

HEAVY = {"fastapi", "sqlalchemy", "alembic", "httpx", "numpy", "uvicorn", "redis"}


def imported_by(command: str) -> set[str]:
    program = f"import sys\nfrom partywall.cli import run\nrun(['{command}', '--help'])\nprint('\\n', *sys.modules)"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    return set(done.stdout.splitlines()[-1].split())


@pytest.mark.parametrize(
    ("command", "absent"),
    [
        ("--help", HEAVY | {"partywall.supervisor"}),
        ("serve", HEAVY),
        ("search", HEAVY - {"httpx"}),
        ("import", HEAVY - {"httpx"}),
        ("users", {"partywall.features.agents.catalogue", "pydantic_ai"}),
        ("migrate", {"fastapi", "numpy", "uvicorn", "httpx"}),
    ],
)
def test_a_command_imports_only_what_it_needs(command: str, absent: set[str]) -> None:
    assert imported_by(command) & absent == set()
