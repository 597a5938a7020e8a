from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Annotated, Final
from uuid import UUID

import typer
from sqlalchemy import Uuid, column, select, table

from partywall.commands.configuration import DataDir
from partywall.commands.engines import operator
from partywall.commands.terminal import print_line
from partywall.commands.usage_error import UsageError
from partywall.core.tenancy import ProjectNotFoundError
from partywall.features.documents.operations import Chosen
from partywall.features.documents.operations import reindex as reindex_project

FAILED: Final = "failed"
# The owner of the tables sees every project; each is then opened with the scope of its worker.
_PROJECTS: Final = select(column("id", Uuid)).select_from(table("project")).where(column("deleted_at").is_(None))

app = typer.Typer()


@app.command()
def reindex(
    failed: Annotated[bool, typer.Option("--failed", help="Documents that could not be indexed.")] = False,
    error: Annotated[str | None, typer.Option("--error", help="Documents whose `index_error` contains TEXT.")] = None,
    every: Annotated[bool, typer.Option("--all", help="Every document.")] = False,
    project: Annotated[list[UUID] | None, typer.Option("--project", help="Only in this project; repeatable.")] = None,
    data_dir: DataDir = Path(".data"),
) -> int:
    """Queue documents to be indexed again, in all projects or some."""
    if every == (failed or error is not None):
        raise UsageError("choose the documents: --failed, --error TEXT, or --all")
    if error is not None:
        _require_text(error)
    chosen = Chosen(FAILED if failed else None, error)
    named = list(dict.fromkeys(project or ()))
    count, missing = asyncio.run(_reindex(named, chosen, data_dir))
    if missing and len(missing) == len(named):
        raise UsageError(f"there is no project {' and no project '.join(map(str, missing))}")
    for each in missing if named else ():
        print_line(f"there is no project {each}", err=True)
    print_line(f"{count} documents queued")
    return 1 if missing and named else 0


def _require_text(error: str) -> None:
    if not error.strip():
        raise UsageError("--error needs a text that the documents' `index_error` contains")
    try:
        error.encode()
    except UnicodeEncodeError:
        raise UsageError("--error is not UTF-8") from None


async def _reindex(projects: list[UUID], chosen: Chosen, data_dir: Path) -> tuple[int, list[UUID]]:
    """Returns the number of queued documents and the projects that do not exist, or were deleted meanwhile."""
    count, missing = 0, []
    async with operator(data_dir) as acting:
        if not projects:
            async with acting.sessions.read() as session:
                projects = list(await session.scalars(_PROJECTS))
        for each in projects:
            try:
                count += await reindex_project(acting.sessions, each, chosen)
            except ProjectNotFoundError:
                missing.append(each)
    return count, missing
