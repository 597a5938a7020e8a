from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
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
_SPACES: Final[Select[str, int]] = (
    select(column("model", Text), column("dimension", Integer))
    .select_from(table("search_index"))
    .where(column("external"))
).distinct()

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
        absent = [] if projects or self.server is None else await self._of_no_project(self.server)
        wrong, checked, unmoved = len(absent), 0, 0
        async for project_id, difference in self._differences(projects):
            checked += 1
            unmoved += not difference.index.external
            if not difference.is_none:
                wrong += 1
                print_line(f"{project_id}: {_told(difference)}")
        for each in absent:
            print_line(f"{each}: the vector server has vectors of this project, which does not exist")
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
                print_line(f"there is no project {project_id}", err=True)

    async def _of_no_project(self, server: VectorServer) -> list[UUID]:
        """Projects that were deleted while a vector of theirs was on its way; deletes them if it is to mend."""
        found = set[UUID]()
        async with self.acting.sessions.read() as session:
            spaces = [VectorSpace(*row) for row in await session.execute(_SPACES)]
        for each in spaces:
            found |= await server.projects(each)
        async with self.acting.sessions.read() as session:
            found -= set(await session.scalars(_EVERY_PROJECT))
        for project_id in found if self.mend else ():
            await server.delete_project(project_id)
        return sorted(found)


def _told(difference: Difference) -> str:
    parts = [
        f"{len(difference.missing)} vectors are not on the vector server" if difference.missing else "",
        f"{len(difference.strays)} are there that should not be" if difference.strays else "",
        "passages have no vector" if difference.incomplete else "",
    ]
    return f"index of {difference.index.model}: {', '.join(filter(None, parts))}"
