"""Schemathesis over the whole OpenAPI document of a running API: fixed seed, authenticated, stateful.

The boundary values and the links between operations are tried in each run, random values in `make soak`.
"""

from __future__ import annotations

import asyncio
import os
import sys
from pathlib import Path
from uuid import UUID

import pytest

from partywall.testing.users import Users
from tests.contract.conftest import Served

CONFIG = Path(__file__).with_name("schemathesis.toml")


async def _schemathesis(url: str, token: str, project: UUID, *arguments: str) -> tuple[int, str]:
    process = await asyncio.create_subprocess_exec(
        str(Path(sys.executable).with_name("schemathesis")),
        f"--config-file={CONFIG}",
        "run",
        f"{url}/openapi.json",
        "--checks=all",
        "-H",
        f"Authorization: Bearer {token}",
        "--no-color",
        *arguments,
        env={**os.environ, "CONTRACT_PROJECT": str(project), "PYTHONPATH": str(CONFIG.parents[2])},
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    output, _ = await process.communicate()
    assert process.returncode is not None
    return process.returncode, output.decode()


@pytest.mark.parametrize(
    ("phases", "examples"), [("examples,coverage,stateful", 3), pytest.param("fuzzing", 12, marks=pytest.mark.soak)]
)
async def test_the_api_keeps_its_own_contract(served: Served, users: Users, phases: str, examples: int) -> None:
    person = await users.person()
    project = await person.project("contract")
    chosen = (f"--phases={phases}", f"--max-examples={examples}")
    code, output = await _schemathesis(served.url, person.token, project, *chosen)
    logged = served.log.read_text()
    assert code == 0, output
    assert "unhandled_error" not in logged, logged[-4000:]
