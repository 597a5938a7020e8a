from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Annotated, Final
from uuid import UUID

import typer

from partywall.commands.configuration import DataDir
from partywall.commands.engines import Operator, operator
from partywall.commands.terminal import password_line, print_line
from partywall.commands.usage_error import UsageError
from partywall.core.errors import PartywallError
from partywall.core.security.passwords import Passwords
from partywall.core.security.revocations import Revocation, Revoked
from partywall.features.accounts import operations
from partywall.features.accounts.exceptions import AccountNotFoundError

DATA: Final = Path(".data")

app = typer.Typer(name="users", help="Accounts, for operators.")

Email = Annotated[str, typer.Argument(help="The account's e-mail address.")]
PasswordStdin = Annotated[bool, typer.Option("--password-stdin", help="Read the password from standard input.")]


@app.command()
def create(
    email: Email,
    name: Annotated[str | None, typer.Option(help="The full name.")] = None,
    password_stdin: PasswordStdin = False,
    data_dir: DataDir = DATA,
) -> None:
    """Create an account with a verified address, and print its generated password."""
    given = password_line() if password_stdin else None
    made = asyncio.run(_create(data_dir, email, given, name))
    print_line(f"created {made.email} ({made.id})")
    if made.password is not None:
        print_line(f"password: {made.password}")


@app.command()
def password(email: Email, password_stdin: PasswordStdin = False, data_dir: DataDir = DATA) -> None:
    """Set another password, end the account's sessions, and print a generated password."""
    given = password_line() if password_stdin else None
    changed = asyncio.run(_set_password(data_dir, email, given))
    print_line(f"changed the password of {changed.email}; its sessions have ended")
    if changed.password is not None:
        print_line(f"password: {changed.password}")


@app.command()
def unlock(email: Email, data_dir: DataDir = DATA) -> None:
    """Lift the locks of an account after failed logins."""
    asyncio.run(_unlock(data_dir, email))
    print_line(f"unlocked {email}")


@app.command()
def disable(email: Email, data_dir: DataDir = DATA) -> None:
    """End an account's sessions and refuse further logins."""
    asyncio.run(_change(data_dir, lambda acting: operations.disable_user(acting.sessions, email), email))
    print_line(f"disabled {email}")


@app.command()
def enable(email: Email, data_dir: DataDir = DATA) -> None:
    """Allow a disabled account to log in again."""
    asyncio.run(_change(data_dir, lambda acting: operations.enable_user(acting.sessions, email), email))
    print_line(f"enabled {email}")


@app.command()
def verify(email: Email, data_dir: DataDir = DATA) -> None:
    """Mark an account's address as verified."""
    asyncio.run(_change(data_dir, lambda acting: operations.verify_user(acting.sessions, acting.secrets, email), email))
    print_line(f"verified {email}")


@app.command("list")
def list_users(data_dir: DataDir = DATA) -> None:
    """List all accounts by address."""
    for user in asyncio.run(_list(data_dir)):
        notes = [note for note, holds in (("unverified", not user.verified), ("disabled", user.disabled)) if holds]
        print_line("  ".join([str(user.id), f"{user.created_at:%Y-%m-%d}", user.email, user.full_name or "", *notes]))


async def _create(data_dir: Path, email: str, password: str | None, name: str | None) -> operations.GivenPassword:
    async with operator(data_dir) as acting:
        try:
            return await operations.create_user(acting.sessions, Passwords(1), email, password, name)
        except PartywallError as error:
            raise UsageError(error.detail) from None


async def _set_password(data_dir: Path, email: str, given: str | None) -> operations.GivenPassword:
    async with operator(data_dir) as acting:
        try:
            changed = await operations.set_password(acting.sessions, Passwords(1), acting.secrets, email, given)
        except AccountNotFoundError as error:
            raise UsageError(f"{error.detail}: {email}") from None
        except PartywallError as error:
            raise UsageError(error.detail) from None
        await acting.announce(Revocation(Revoked.ACCOUNT, changed.id))
        return changed


async def _unlock(data_dir: Path, email: str) -> None:
    async with operator(data_dir) as acting:
        try:
            await operations.unlock_user(acting.sessions, acting.secrets, email)
        except PartywallError as error:
            raise UsageError(f"{error.detail}: {email}") from None


async def _change(data_dir: Path, change: Callable[[Operator], Awaitable[UUID]], email: str) -> None:
    async with operator(data_dir) as acting:
        try:
            changed = await change(acting)
        except PartywallError as error:
            raise UsageError(f"{error.detail}: {email}") from None
        await acting.announce(Revocation(Revoked.ACCOUNT, changed))


async def _list(data_dir: Path) -> list[operations.ListedUser]:
    async with operator(data_dir) as acting:
        return await operations.list_users(acting.sessions)
