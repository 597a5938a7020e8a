from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Annotated, Final
from uuid import UUID

import typer
from sqlalchemy import Uuid, column, select, table

from partywall.commands.configuration import DataDir
from partywall.commands.engines import operator
from partywall.commands.refusal import Refusal
from partywall.commands.terminal import say
from partywall.core.tenancy import ProjectNotFoundError
from partywall.features.documents.operations import Chosen
from partywall.features.documents.operations import reindex as reindex_project

FAILED: Final = "failed"
# The owner of the tables sees every project, and enters each as its own worker does.
_PROJECTS: Final = select(column("id", Uuid)).select_from(table("project")).where(column("deleted_at").is_(None))

app = typer.Typer()


@app.command()
def reindex(
    failed: Annotated[bool, typer.Option("--failed", help="Documents that could not be indexed.")] = False,
    error: Annotated[str | None, typer.Option("--error", help="Those whose `index_error` has TEXT in it.")] = None,
    every: Annotated[bool, typer.Option("--all", help="Every document.")] = False,
    project: Annotated[list[UUID] | None, typer.Option("--project", help="In this project alone; repeatable.")] = None,
    data_dir: DataDir = Path(".data"),
) -> None:
    """Have documents indexed again, by the worker, in every project or in some."""
    if every == (failed or error is not None):
        raise Refusal("say which documents: --failed, --error TEXT, or --all")
    if error is not None:
        _require_text(error)
    chosen = Chosen(FAILED if failed else None, error)
    named = list(dict.fromkeys(project or ()))
    say(f"{asyncio.run(_reindex(named, chosen, data_dir))} documents wait to be indexed again")


def _require_text(error: str) -> None:
    if not error.strip():
        raise Refusal("--error needs a text that is in the `index_error` of the documents")
    try:
        error.encode()
    except UnicodeEncodeError:
        raise Refusal("--error is not UTF-8") from None


async def _reindex(projects: list[UUID], chosen: Chosen, data_dir: Path) -> int:
    count = 0
    async with operator(data_dir) as acting:
        if not projects:
            async with acting.sessions.read() as session:
                found = list(await session.scalars(_PROJECTS))
            for each in found:
                try:
                    count += await reindex_project(acting.sessions, each, chosen)
                except ProjectNotFoundError:  # deleted meanwhile
                    continue
            return count
        for each in projects:
            try:
                count += await reindex_project(acting.sessions, each, chosen)
            except ProjectNotFoundError:
                raise Refusal(f"there is no project {each}") from None
    return count
