"""Which modules a command imports before it starts."""

from __future__ import annotations

import subprocess
import sys

import pytest

HEAVY = {"fastapi", "sqlalchemy", "alembic", "httpx2", "numpy", "uvicorn", "redis"}


SETTINGS = "Settings.model_validate({'database': {'engine': 'embedded'}, 'cache': {'engine': 'embedded'}})"


def imported_by(*commands: str) -> set[str]:
    return imported_in(f"from partywall.cli import run\nfor command in {commands}:\n    run([command, '--help'])")


def imported_in(program: str) -> set[str]:
    program = f"import sys\n{program}\nprint('\\n', *sys.modules)"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    return set(done.stdout.splitlines()[-1].split())


@pytest.mark.parametrize(
    ("commands", "absent"),
    [
        (("--help",), HEAVY | {"partywall.supervisor"}),
        (("serve",), HEAVY),
        (("search", "import"), HEAVY - {"httpx2"}),
        (("migrate",), {"fastapi", "numpy", "uvicorn", "httpx2"}),
        (("users",), {"partywall.features.agents.builtin", "pydantic_ai"}),
        (("api", "worker"), {"partywall.features.agents.builtin", "pydantic_ai", "rich"}),
    ],
)
def test_commands_import_only_what_they_need(commands: tuple[str, ...], absent: set[str]) -> None:
    assert imported_by(*commands) & absent == set()


def test_a_worker_imports_no_web_framework() -> None:
    imported = imported_in(
        f"from partywall.settings import Settings\nfrom partywall.worker import imported_features\n"
        f"imported_features({SETTINGS})"
    )
    assert "partywall.features.search.indexer" in imported
    assert imported & {"fastapi", "authlib"} == set()


def test_the_api_imports_nothing_that_runs_in_workers() -> None:
    imported = imported_in(
        f"from partywall.main import create_app\nfrom partywall.settings import Settings\n"
        f"from partywall.adapter_options import create_blob_store\n"
        f"settings = {SETTINGS}\ncreate_app(settings)\ncreate_blob_store(settings)"
    )
    assert "partywall.features.documents.router" in imported
    assert imported & {"obstore", "authlib"} == set(), "the settings do not ask for them"
    assert imported & {"partywall.features.search.indexer", "partywall.features.webhooks.delivery_session"} == set()


def test_the_attempt_counter_imports_one_cache_client() -> None:
    program = (
        "from redis.asyncio import Redis\nfrom partywall.core.security.attempts import AttemptLimiter\n"
        "AttemptLimiter(Redis(), 1)"
    )
    assert "valkey" not in imported_in(program)
