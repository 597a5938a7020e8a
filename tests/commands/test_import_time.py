"""Which modules a command imports before it starts."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from tests.server import UNMEASURED

HEAVY = {"fastapi", "sqlalchemy", "alembic", "httpx2", "numpy", "uvicorn", "redis"}


def imported_by(command: str) -> set[str]:
    program = f"import sys\nfrom partywall.cli import run\nrun(['{command}', '--help'])\nprint('\\n', *sys.modules)"
    done = subprocess.run(
        [sys.executable, "-c", program], env=os.environ | UNMEASURED, capture_output=True, text=True, check=True
    )
    return set(done.stdout.splitlines()[-1].split())


@pytest.mark.parametrize(
    ("command", "absent"),
    [
        ("--help", HEAVY | {"partywall.supervisor"}),
        ("serve", HEAVY),
        ("search", HEAVY - {"httpx2"}),
        ("import", HEAVY - {"httpx2"}),
        ("users", {"partywall.features.agents.builtin", "pydantic_ai"}),
        ("migrate", {"fastapi", "numpy", "uvicorn", "httpx2"}),
        ("api", {"partywall.features.agents.builtin", "pydantic_ai"}),
        ("worker", {"partywall.features.agents.builtin", "pydantic_ai"}),
    ],
)
def test_a_command_imports_only_what_it_needs(command: str, absent: set[str]) -> None:
    assert imported_by(command) & absent == set()


def test_the_attempt_counter_imports_one_cache_client() -> None:
    program = (
        "import sys\nfrom redis.asyncio import Redis\nfrom partywall.core.security.attempts import AttemptLimiter\n"
        "AttemptLimiter(Redis(), 1)\nprint(*sys.modules)"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], env=os.environ | UNMEASURED, capture_output=True, text=True, check=True
    )
    assert "valkey" not in done.stdout.split()
