from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from partywall.settings import Settings
from tests.server import environment_of, free_port, program, until_ready

# Runs are accepted; no worker uses it.
MODEL = {"AGENTS__MODEL": "openai:never-asked", "AGENTS__BASE_URL": "http://127.0.0.1:9/v1"}


@dataclass(frozen=True, slots=True)
class Served:
    """A running API process and its log so far."""

    url: str
    log: Path


@pytest.fixture(scope="module")
async def served(settings: Settings, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Served]:
    port = free_port()
    log = tmp_path_factory.mktemp("served") / "api.log"
    async with program("api", "--port", str(port), environment={**environment_of(settings), **MODEL}, log=log):
        await until_ready(f"http://127.0.0.1:{port}")
        yield Served(f"http://127.0.0.1:{port}", log)
