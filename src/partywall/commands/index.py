from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Final
from uuid import UUID

import typer
from sqlalchemy import Integer, Select, Text, Uuid, column, select, table

from partywall.adapter_options import open_vector_server
from partywall.commands.configuration import DataDir
from partywall.commands.engines import Operator, operator
from partywall.commands.terminal import print_line
from partywall.commands.usage_error import UsageError
from partywall.core.outgoing.endpoints import shared_tls
from partywall.core.tenancy import ProjectNotFoundError
from partywall.core.vector_server import VectorServer, VectorServerError, VectorSpace
from partywall.features.search.vector_check import Difference, VectorCheck

app = typer.Typer(name="index", help="Compare the indexes with what PostgreSQL holds, for operators.")

# The owner of the tables sees every project; each is then opened with the scope of its worker.
_PROJECTS: Final = select(column("id", Uuid)).select_from(table("project")).where(column("deleted_at").is_(None))
_EVERY_PROJECT: Final = select(column("id", Uuid)).select_from(table("project"))
_SPACE: Final = (column("model", Text), column("dimension", Integer))
_INDEXES: Final[Select[UUID, str, int]] = select(column("project_id", Uuid), *_SPACE).select_from(table("search_index"))
_SPACES: Final[Select[str, int]] = select(*_SPACE).select_from(table("search_index")).distinct()

Projects = Annotated[list[UUID] | None, typer.Option("--project", help="Only this project; repeatable.")]


@app.callback()
def index() -> None:
    """Compare the indexes with what PostgreSQL holds, for operators."""


@app.command()
def verify(project: Projects = None, data_dir: DataDir = Path(".data")) -> int:
    """Compare all vectors of PostgreSQL with the vector server's, by their numbers, and find passages without one."""
    return asyncio.run(_run(list(dict.fromkeys(project or ())), data_dir, mend=False))


@app.command()
def repair(project: Projects = None, data_dir: DataDir = Path(".data")) -> int:
    """Verify, and have the workers mend what differs."""
    return asyncio.run(_run(list(dict.fromkeys(project or ())), data_dir, mend=True))


async def _run(projects: list[UUID], data_dir: Path, *, mend: bool) -> int:
    async with operator(data_dir) as acting:
        settings = acting.settings
        async with open_vector_server(settings.vectors, shared_tls(settings.outgoing.ca_file)) as server:
            try:
                if server is not None:
                    await _require(server)
                return await _Checks(acting, server, mend).run(projects)
            except VectorServerError as error:
                raise UsageError(f"VECTORS__URL: {error}") from error


async def _require(server: VectorServer) -> None:
    """Raises UsageError if it cannot be used, and VectorServerError if it does not answer."""
    if (refusal := await server.refusal()) is not None:
        raise UsageError(refusal)
    await server.ping()


@dataclass(frozen=True, slots=True)
class _Checks:
    acting: Operator
    server: VectorServer | None
    mend: bool

    async def run(self, projects: list[UUID]) -> int:
        """1 if something differs and is not being mended."""
        await self._require_all(projects)
        told = [] if projects or self.server is None else await self._of_no_index(self.server)
        wrong, checked, unmoved = len(told), 0, 0
        async for project_id, difference in self._differences(projects):
            checked += 1
            unmoved += not difference.index.external
            if not difference.is_none:
                wrong += 1
                print_line(f"{project_id}: {_told(difference)}")
        for line in told:
            print_line(line)
        if unmoved and self.server is not None:
            print_line(f"{unmoved} indexes are still held by PostgreSQL: a worker moves them to the vector server")
        print_line(f"{checked} indexes compared, {wrong} differ" + (": being mended" if wrong and self.mend else ""))
        return 1 if wrong and not self.mend else 0

    async def _differences(self, projects: list[UUID]) -> AsyncIterator[tuple[UUID, Difference]]:
        if not projects:
            async with self.acting.sessions.read() as session:
                projects = list(await session.scalars(_PROJECTS))
        for project_id in projects:
            check = VectorCheck(self.acting.sessions, self.server, project_id)
            try:
                for difference in await check.differences():
                    if self.mend:
                        await check.repair(difference)
                    yield project_id, difference
            except ProjectNotFoundError:
                print_line(f"the project {project_id} was deleted meanwhile", err=True)

    async def _require_all(self, projects: list[UUID]) -> None:
        async with self.acting.sessions.read() as session:
            known = set(await session.scalars(_PROJECTS))
        for project_id in projects:
            if project_id not in known:
                raise UsageError(f"--project: there is no project {project_id}")

    async def _of_no_index(self, server: VectorServer) -> list[str]:
        """Tells vectors of projects that do not exist or have no index of their model; deletes them if it is to mend.

        Projects are asked for after the server, so one that is new is known.
        """
        async with self.acting.sessions.read() as session:
            spaces = [VectorSpace(*row) for row in await session.execute(_SPACES)]
        there = [(space, project_id) for space in spaces for project_id in await server.projects(space)]
        async with self.acting.sessions.read() as session:
            every, open_ = set(await session.scalars(_EVERY_PROJECT)), set(await session.scalars(_PROJECTS))
            indexed = {(VectorSpace(model, size), id_) for id_, model, size in await session.execute(_INDEXES)}
        absent = sorted({project_id for _, project_id in there if project_id not in every})
        strays = [(space, id_) for space, id_ in there if id_ in open_ and (space, id_) not in indexed]
        if self.mend:
            for project_id in absent:
                await server.delete_project(project_id)
            for space, project_id in strays:
                with suppress(ProjectNotFoundError):  # deleted meanwhile
                    await VectorCheck(self.acting.sessions, server, project_id).delete_all(space)
        return [
            *(f"{id_}: the vector server has vectors of this project, which does not exist" for id_ in absent),
            *(f"{id_}: the vector server has vectors of {space.model}, without an index here" for space, id_ in strays),
        ]


def _told(difference: Difference) -> str:
    parts = [
        f"{len(difference.missing)} vectors are not on the vector server" if difference.missing else "",
        f"{len(difference.strays)} are there that should not be" if difference.strays else "",
        "passages have no vector" if difference.incomplete else "",
    ]
    return f"index of {difference.index.model}: {', '.join(filter(None, parts))}"
