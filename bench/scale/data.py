"""The data that a server holds: made once, and found again in a directory that is kept."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final
from uuid import UUID

import asyncpg

from bench.scale.build import build, superuser
from bench.scale.language import Language, open_language
from bench.search_server import SearchServer, open_search_server
from partywall.adapters.embedded import bootstrap, open_home

SEED: Final = 13
_ENVIRONMENT: Final = {
    "QUOTAS__PROJECTS": "unlimited", "QUOTAS__DOCUMENTS": "unlimited", "QUOTAS__BYTES": "unlimited",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Data:
    """`projects` by their size; `place` of a project is its seed."""

    server: SearchServer
    database: asyncpg.Connection
    language: Language
    projects: Mapping[int, list[UUID]]
    places: Mapping[UUID, int]

    @property
    def largest(self) -> int:
        return max(self.projects)


@asynccontextmanager
async def open_data(sizes: Mapping[int, int], kept: Path | None) -> AsyncIterator[Data]:
    if kept is not None:
        await asyncio.to_thread(_make, kept)
    language = await asyncio.to_thread(open_language, SEED)
    async with open_search_server(_ENVIRONMENT, kept=kept) as server, superuser(_dsn(server.data)) as database:
        file = server.data / "scale.json"
        if not await asyncio.to_thread(file.exists):
            made = [(UUID(await server.project(f"{size} {n}")), size) for size, n in _each(sizes)]
            author = await database.fetchval("SELECT 'user:' || id FROM account LIMIT 1")
            await build(_dsn(server.data), language, made, author)
            await asyncio.to_thread(file.write_text, json.dumps([(str(project), size) for project, size in made]))
        known = [(UUID(project), size) for project, size in json.loads(await asyncio.to_thread(file.read_text))]
        by_size: dict[int, list[UUID]] = {}
        for project, size in known:
            by_size.setdefault(size, []).append(project)
        places = {project: place for place, (project, _) in enumerate(known)}
        yield Data(server, database, language, by_size, places)


def _each(sizes: Mapping[int, int]) -> list[tuple[int, int]]:
    return [(size, number) for size, count in sizes.items() for number in range(count)]


def _make(directory: Path) -> None:
    directory.mkdir(parents=True, exist_ok=True)
    directory.chmod(0o711)


def _dsn(data: Path) -> str:
    home = open_home(data)
    user, password = bootstrap.SUPERUSER, home.secret(bootstrap.SUPERUSER)
    return f"postgresql://{user}:{password}@/{bootstrap.DATABASE}?host={home.runtime}&port=5432&sslmode=disable"
