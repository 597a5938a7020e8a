"""Clients are generated from the OpenAPI document and used against the application: types, answers and errors."""

from __future__ import annotations

import json
import shutil
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from pydantic import JsonValue

from partywall.settings import Settings
from partywall.testing.engines import DatabaseUrls
from partywall.testing.workers import working
from tests import packages
from tests.features.live.server import Serving, serve

SCRIPTS = Path(__file__).with_name("generated")


@pytest.fixture(scope="module")
async def working_server(settings: Settings, database: DatabaseUrls) -> AsyncIterator[Serving]:
    async with serve(settings) as served, working(served.resources):
        yield served


@pytest.fixture
def document(working_server: Serving, tmp_path: Path) -> Path:
    path = tmp_path / "openapi.json"
    path.write_text(json.dumps(working_server.app.openapi()))
    return path


async def succeed(*command: str | Path, cwd: Path) -> str:
    code, output = await packages.run(*command, cwd=cwd)
    assert code == 0, output
    return output


def expected() -> dict[str, JsonValue]:
    return {
        "accepted": "accepted",
        "project": "Generated",
        "dated": True,
        "found": ["Prices"],
        "uploaded": "more",
        "code": "validation_failed",
        "errors": [["/name", "too_short"]],
    }


async def test_openapi_typescript(working_server: Serving, document: Path, tmp_path: Path) -> None:
    """With the option that makes body fields with a default optional, as the documentation does."""
    (tmp_path / "node_modules").symlink_to(await packages.node_packages() / "node_modules")
    tools = tmp_path / "node_modules" / ".bin"
    (tmp_path / "package.json").write_text('{"type": "module"}')
    for name in ("use_api.ts", "tsconfig.json"):
        shutil.copy(SCRIPTS / name, tmp_path)
    options = ("--default-non-nullable=false", "-o", "api.ts")
    await succeed(tools / "openapi-typescript", document, *options, cwd=tmp_path)
    await succeed(tools / "tsc", cwd=tmp_path)
    output = await succeed("node", "use_api.js", working_server.url, "ts@example.com", cwd=tmp_path)
    assert json.loads(output) == expected()


async def test_openapi_python_client(working_server: Serving, document: Path, tmp_path: Path) -> None:
    tools = await packages.python_packages()
    (tmp_path / "generator.yaml").write_text("post_hooks: []\n")
    options = ("--meta", "none", "--output-path", "api", "--config", "generator.yaml", "--fail-on-warning")
    await succeed(tools / "openapi-python-client", "generate", "--path", document, *options, cwd=tmp_path)
    shutil.copy(SCRIPTS / "use_api.py", tmp_path)
    output = await succeed(tools / "python", "use_api.py", working_server.url, "py@example.com", cwd=tmp_path)
    assert json.loads(output) == expected()


async def test_redocly_finds_nothing(document: Path) -> None:
    """With the strict rules and no exception in `redocly.yaml`."""
    tools = await packages.node_packages() / "node_modules" / ".bin"
    options = ("--config", packages.ROOT / "redocly.yaml", "--format", "json")
    quiet = {"REDOCLY_SUPPRESS_UPDATE_NOTICE": "true", "REDOCLY_TELEMETRY": "off"}
    code, output = await packages.run(tools / "redocly", "lint", document, *options, environment=quiet)
    assert code == 0, output
    assert '"totals"' in output
