from __future__ import annotations

import asyncio
import re
from pathlib import Path
from typing import Annotated, Final

import typer
from alembic.util import CommandError
from sqlalchemy import make_url

from partywall.commands.configuration import DataDir
from partywall.commands.engines import operator_settings
from partywall.commands.postgres import database_failures, require_postgres
from partywall.commands.terminal import print_line
from partywall.commands.usage_error import UsageError

app = typer.Typer()

HEAD: Final = "head"
_TARGET: Final = re.compile(r"(?:[a-z][a-z_]{0,39}@)?(?:[0-9A-Za-z_]{1,40}|[-+][1-9][0-9]{0,3})")


@app.command(context_settings={"ignore_unknown_options": True})
def migrate(
    target: Annotated[
        str,
        typer.Argument(help="A revision, `head`, `base`, or a step: `+1` or `-1`. `FEATURE@TARGET` for one feature."),
    ] = HEAD,
    data_dir: DataDir = Path(".data"),
    lose_data: Annotated[bool, typer.Option("--lose-data", help="Allow a downgrade that deletes stored data.")] = False,
) -> None:
    """Migrate the database schema to TARGET, as the role of DATABASE__OWNER_URL."""
    if _TARGET.fullmatch(target) is None:
        raise UsageError(f"{target!a} is not a revision: use a revision's name, head, base, +1 or -1")
    asyncio.run(_migrate(target, data_dir, keep_data=not lose_data))


async def _migrate(target: str, data_dir: Path, *, keep_data: bool) -> None:
    # lint: allow import-in-function - imports all features, which --help does not need
    from partywall.extensions.enabled import enabled_features  # noqa: PLC0415 - see above

    # lint: allow import-in-function - as above
    from partywall.extensions.migrations import migrate_all  # noqa: PLC0415 - see above

    # lint: allow import-in-function - as above
    from partywall.features.search.hnsw_indexes import create_missing  # noqa: PLC0415 - see above

    async with operator_settings(data_dir) as settings:
        runtime = await require_postgres("DATABASE__URL", settings.database.url, schema=False)
        if make_url(runtime).username is None:
            raise UsageError("DATABASE__URL has no role: use postgresql://ROLE:PASSWORD@HOST:PORT/DATABASE")
        owner = await require_postgres("DATABASE__OWNER_URL", settings.database.owner_url, schema=False)
        try:
            with database_failures(migrating=True):
                names = settings.features.enabled
                for line in await migrate_all(owner, runtime, target, enabled_features(names), keep_data=keep_data):
                    print_line(line)
                for line in await create_missing(owner, settings.embeddings.dimension) if target == HEAD else ():
                    print_line(line)
        except CommandError as error:
            raise UsageError(str(error)) from None
