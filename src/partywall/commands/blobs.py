from __future__ import annotations

import asyncio
from datetime import timedelta
from pathlib import Path
from typing import Annotated

import typer

from partywall.adapter_options import create_blob_store
from partywall.commands.configuration import DataDir
from partywall.commands.engines import operator
from partywall.commands.terminal import print_line
from partywall.commands.usage_error import UsageError
from partywall.core.storage_errors import StorageAwayError
from partywall.features.documents.blobs import UNCLAIMED_FOR, Swept
from partywall.features.documents.blobs import sweep as sweep_store

app = typer.Typer(name="blobs", help="Stored originals of uploads, for operators.")


@app.callback()
def blobs() -> None:
    """Stored originals of uploads, for operators."""


@app.command()
def sweep(
    hours: Annotated[
        int, typer.Option(min=1, max=24 * 365, help="Leave what is younger: it may belong to an upload in progress.")
    ] = int(UNCLAIMED_FOR.total_seconds() // 3600),
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only count.")] = False,
    data_dir: DataDir = Path(".data"),
) -> None:
    """Delete originals that no document refers to, and what unfinished uploads left. Workers do it every night."""
    try:
        swept = asyncio.run(_sweep(timedelta(hours=hours), data_dir, dry_run=dry_run))
    except StorageAwayError:
        raise UsageError("the blob store does not answer: see BLOBS__ENGINE and the other settings of blobs") from None
    print_line(f"{swept.blobs} originals without a document{'' if dry_run else ' deleted'}")
    if not dry_run:
        print_line(f"{swept.unfinished} unfinished uploads removed")


async def _sweep(older_than: timedelta, data_dir: Path, *, dry_run: bool) -> Swept:
    async with operator(data_dir) as acting:
        store = create_blob_store(acting.settings)
        try:
            return await sweep_store(store, acting.sessions, older_than, dry_run=dry_run)
        finally:
            await store.close()
