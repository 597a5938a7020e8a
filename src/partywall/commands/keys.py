from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Annotated

import typer

from partywall.commands.configuration import DataDir
from partywall.commands.engines import operator
from partywall.commands.terminal import print_line
from partywall.core.security.revocations import Revocation, Revoked
from partywall.features.accounts import operations

app = typer.Typer(name="keys", help="The keys that sign access tokens.")


@app.callback()
def _group() -> None:
    pass


@app.command()
def rotate(
    now: Annotated[
        bool, typer.Option("--now", help="If the key has leaked: refuse every token issued so far.")
    ] = False,
    data_dir: DataDir = Path(".data"),
) -> None:
    """Create a signing key; tokens of the former key stay valid until they expire."""
    made = asyncio.run(_rotate(data_dir, now))
    print_line(f"{made.kid} signs from {made.active_at:%Y-%m-%d %H:%M:%S}Z")
    print_line(f"former keys are accepted until {made.former_until:%Y-%m-%d %H:%M:%S}Z")


async def _rotate(data_dir: Path, now: bool) -> operations.RotatedKey:
    async with operator(data_dir) as acting:
        ttl = acting.settings.accounts.access_token_ttl
        made = await operations.rotate_keys(acting.sessions, acting.secrets, access_token_ttl=ttl, at_once=now)
        if now:
            await acting.announce(Revocation(Revoked.SIGNING_KEYS))
        return made
