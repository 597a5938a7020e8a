"""The tests use the real engines, as the application's own role, with real commits and without mocks."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator

import asyncpg
import pytest

from partywall.core.resources import Resources
from partywall.testing.engines import DatabaseUrls
from partywall.testing.users import Users
from tests.architecture.layout import ROOT

TESTS = ROOT / "tests"
# Packages and modules that replace a dependency or an engine.
MOCK_MODULES = re.compile(
    r"^(unittest\.mock|unittest|mock|pytest_mock|flexmock|doublex|asynctest|respx|responses|aioresponses|pytest_httpx"
    r"|httpretty|requests_mock|vcr|moto|fakeredis|mockredis|birdisle|aiosqlite|sqlite3|pglite|testing\.postgresql)(\.|$)"
)
MOCK_NAMES = re.compile(r"^(Magic|Async|NonCallable)?Mock$|^(mocker|mock_open|create_autospec|MockTransport)$")

# Dependencies outside of this machine, whose failures no server on loopback can imitate.
OUTSIDE = {"tests/features/webhooks/test_sender.py": ["MockTransport"]}


def mocks(tree: ast.AST) -> Iterator[str]:
    for node in ast.walk(tree):
        match node:
            case ast.ImportFrom(module=str(module)):
                named = [module, *(f"{module}.{alias.name}" for alias in node.names)]
                yield from (name for name in named if MOCK_MODULES.match(name))
            case ast.Import():
                yield from (alias.name for alias in node.names if MOCK_MODULES.match(alias.name))
            case ast.Name(id=name) | ast.Attribute(attr=name) | ast.arg(arg=name) if MOCK_NAMES.match(name):
                yield name


def test_no_test_works_with_mocks_or_with_another_engine() -> None:
    sources = [*TESTS.rglob("*.py")]
    assert len(sources) > 300
    found = {path.relative_to(ROOT).as_posix(): sorted({*mocks(ast.parse(path.read_text()))}) for path in sources}
    assert {path: names for path, names in found.items() if names} == OUTSIDE


@pytest.mark.parametrize(
    "code",
    [
        "from unittest.mock import patch", "from unittest import mock", "import unittest.mock as m", "import fakeredis",
        "def test(mocker): ...", "x = httpx2.MockTransport(y)", "x = AsyncMock()",
    ],
)  # fmt: skip
def test_a_mock_is_recognised(code: str) -> None:
    assert [*mocks(ast.parse(code))]


async def test_the_application_is_tested_as_its_own_role_on_the_engines_that_are_asked_for(
    resources: Resources,
) -> None:
    pool = resources.reads
    assert await pool.fetchval("SELECT current_user::text") == "partywall_app"
    assert int(str(await pool.fetchval("SHOW server_version_num"))) >= 180_000
    assert "valkey_version" in await resources.cache.info("server")


async def test_what_a_test_writes_is_committed(users: Users, database: DatabaseUrls) -> None:
    """Therefore a connection that is independent of the test's own can read it."""
    project = await (await users.person()).project("seen by all")
    connection = await asyncpg.connect(DatabaseUrls.dsn(database.superuser))
    try:
        assert await connection.fetchval("SELECT name FROM project WHERE id = $1", project) == "seen by all"
    finally:
        await connection.close()
