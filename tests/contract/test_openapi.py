"""Schemathesis over the whole OpenAPI document of a running API: fixed seed, authenticated, stateful."""

from __future__ import annotations

import asyncio
import os
import sys
from pathlib import Path
from uuid import UUID

from partywall.testing.users import Users
from tests.contract.conftest import Served
from tests.server import UNMEASURED

CONFIG = Path(__file__).with_name("schemathesis.toml")
MAX_EXAMPLES = 8


async def _schemathesis(url: str, token: str, project: UUID, *arguments: str) -> tuple[int, str]:
    process = await asyncio.create_subprocess_exec(
        str(Path(sys.executable).with_name("schemathesis")),
        f"--config-file={CONFIG}",
        "run",
        f"{url}/openapi.json",
        "--checks=all",
        f"--max-examples={MAX_EXAMPLES}",
        "-H",
        f"Authorization: Bearer {token}",
        "--no-color",
        *arguments,
        env={**os.environ, **UNMEASURED, "CONTRACT_PROJECT": str(project), "PYTHONPATH": str(CONFIG.parents[2])},
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    output, _ = await process.communicate()
    assert process.returncode is not None
    return process.returncode, output.decode()


async def test_the_api_keeps_its_own_contract(served: Served, users: Users) -> None:
    person = await users.person()
    code, output = await _schemathesis(served.url, person.token, await person.project("contract"))
    logged = served.log.read_text()
    assert code == 0, output
    assert "unhandled_error" not in logged, logged[-4000:]
