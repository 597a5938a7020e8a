from __future__ import annotations

import asyncio
from typing import Annotated

import typer

# lint: allow adapter-import - looks for the model's files before any process starts, to refuse in one line
from partywall.adapters.embeddings.minilm_files import installed_files
from partywall.commands.configuration import load_settings
from partywall.commands.postgres import require_postgres
from partywall.commands.refusal import Refusal
from partywall.core.db import engine as engines
from partywall.core.db.roles import PrivilegedRoleError, refuse_privileged_role
from partywall.core.embedding import EmbeddingError
from partywall.resources import MissingUrlError, embedding_engine
from partywall.server import run_api
from partywall.settings import Settings
from partywall.worker import run_worker

app = typer.Typer()


@app.command()
def api(
    host: Annotated[str, typer.Option(help="The address to listen on.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=1, max=65535, help="The port to listen on.")] = 8000,
    workers: Annotated[int, typer.Option(min=1, max=256, help="How many processes share the port.")] = 1,
) -> None:
    """Run the API on the engines that the settings name."""
    run_api(_checked_settings(), host, port, workers)


@app.command()
def worker() -> None:
    """Run the worker on the engines that the settings name."""
    run_worker(_checked_settings())


def _checked_settings() -> Settings:
    """Whatever an operator can put right is said before anything starts, in one line."""
    settings = load_settings()
    try:
        embedding_engine(settings.embeddings)
        if settings.embeddings.engine == "minilm":
            installed_files(settings.data_dir / "models")
        if settings.cache.url is None:
            raise MissingUrlError("CACHE__URL is not set")
        asyncio.run(_check_database(settings))
    except (MissingUrlError, EmbeddingError, PrivilegedRoleError) as error:
        raise Refusal(str(error)) from None
    return settings


async def _check_database(settings: Settings) -> None:
    url = await require_postgres("DATABASE__URL", settings.database.url)
    engine = engines.create_engine(url, pool_size=1, overflow=0, settings={})
    try:
        await refuse_privileged_role(engine)
    finally:
        await engine.dispose()
