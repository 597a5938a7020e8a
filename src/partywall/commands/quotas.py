from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import Annotated, Final
from uuid import UUID

import typer

from partywall.commands.configuration import DataDir
from partywall.commands.engines import operator
from partywall.commands.terminal import print_line
from partywall.commands.usage_error import UsageError
from partywall.core.db.session import AsyncReadSession, AsyncSession
from partywall.core.errors import PartywallError
from partywall.features.quotas import operations
from partywall.features.quotas.operations import OF_ACCOUNTS, OF_PROJECTS, Limit
from partywall.features.quotas.owners import Owner

DATA: Final = Path(".data")
UNLIMITED: Final = "unlimited"

app = typer.Typer(name="quotas", help="Limits of a project or account, for operators.")

Project = Annotated[UUID | None, typer.Option("--project", help="The id of a project.")]
Account = Annotated[str | None, typer.Option("--account", help="The e-mail address of an account.")]


@app.command()
def show(project: Project = None, account: Account = None, data_dir: DataDir = DATA) -> None:
    """Print the limits of a project or account; `(set)` marks those that were set for it."""
    for quota, limit in asyncio.run(_show(project, account, data_dir)).items():
        most = UNLIMITED if limit.most is None else f"{limit.most.normalize():f}"
        print_line(f"{quota}  {most}{'  (set)' if limit.own else ''}")


@app.command("set")
def set_quota(
    quota: Annotated[str, typer.Argument(help="The name that `quotas show` prints.")],
    limit: Annotated[str, typer.Argument(help="A number, or `unlimited`.")],
    project: Project = None,
    account: Account = None,
    data_dir: DataDir = DATA,
) -> None:
    """Set a limit for a project or account; it applies from the next request."""
    _require_known(quota, project)
    asyncio.run(_set(quota, _limit(limit), project, account, data_dir))
    print_line(f"{quota} is {limit} for {project or account}")


@app.command()
def clear(
    quota: Annotated[str | None, typer.Argument(help="Default: all of them.")] = None,
    project: Project = None,
    account: Account = None,
    data_dir: DataDir = DATA,
) -> None:
    """Return a project or account to the limits of the settings."""
    if quota is not None:
        _require_known(quota, project)
    asyncio.run(_clear(quota, project, account, data_dir))
    print_line(f"{project or account} has the limits of the settings again")


@app.command()
def recount(project: Project = None, data_dir: DataDir = DATA) -> None:
    """Recount what one project or each project stores; blocks its writers meanwhile."""
    counted, wrong = asyncio.run(_recount(project, data_dir))
    print_line(f"recounted {counted} projects, corrected {wrong}")


def _limit(given: str) -> Decimal | None:
    if given == UNLIMITED:
        return None
    try:
        return Decimal(given)
    except InvalidOperation:
        raise UsageError(f"{given!r} is neither a number nor {UNLIMITED!r}") from None


def _require_known(quota: str, project: UUID | None) -> None:
    known = OF_ACCOUNTS if project is None else OF_PROJECTS
    if quota not in known:
        if quota in OF_ACCOUNTS:
            raise UsageError(f"{quota!r} is a limit of an account: give --account EMAIL")
        if quota in OF_PROJECTS:
            raise UsageError(f"{quota!r} is a limit of a project: give --project ID")
        raise UsageError(f"{quota!r} is not one of {', '.join(sorted(known))}")


@asynccontextmanager
async def _failures() -> AsyncIterator[None]:
    try:
        yield
    except PartywallError as error:
        raise UsageError(error.detail) from None


async def _owner(session: AsyncReadSession, project: UUID | None, account: str | None) -> Owner:
    if project is not None and account is None:
        return Owner(project)
    if account is not None and project is None:
        return Owner(await operations.find_account(session, account), is_account=True)
    raise UsageError("give either --project ID or --account EMAIL")


async def _show(project: UUID | None, account: str | None, data_dir: Path) -> Mapping[str, Limit]:
    async with operator(data_dir) as acting, _failures(), acting.sessions.read() as session:
        return await operations.limits_of(session, await _owner(session, project, account))


@asynccontextmanager
async def _acting(data_dir: Path) -> AsyncIterator[AsyncSession]:
    async with operator(data_dir) as acting, _failures(), acting.sessions.begin() as session:
        yield session


async def _set(quota: str, most: Decimal | None, project: UUID | None, account: str | None, data_dir: Path) -> None:
    async with _acting(data_dir) as session:
        await operations.set_limit(session, await _owner(session, project, account), quota, most)


async def _clear(quota: str | None, project: UUID | None, account: str | None, data_dir: Path) -> None:
    async with _acting(data_dir) as session:
        await operations.clear_limits(session, await _owner(session, project, account), quota)


async def _recount(project: UUID | None, data_dir: Path) -> tuple[int, int]:
    """Recounts each project in its own transaction; returns how many were counted and how many corrected."""
    async with operator(data_dir) as acting, _failures():
        async with acting.sessions.read() as session:
            chosen = await operations.projects(session, project)
        wrong = 0
        for each in chosen:
            async with acting.sessions.begin() as session:
                wrong += await operations.recount(session, each)
        return len(chosen), wrong
