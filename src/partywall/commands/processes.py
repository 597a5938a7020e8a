from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
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
from partywall.features.search.constants import DIMENSIONS
from partywall.resources import MissingUrlError, create_cache, create_mailer, embedding_engine
from partywall.secret_key import secret_key
from partywall.server import run_api
from partywall.settings import Settings
from partywall.supervisor import EngineError
from partywall.supervisor.network import require_free_port
from partywall.worker import run_worker

app = typer.Typer()


@app.command()
def api(
    host: Annotated[str, typer.Option(help="The address to listen on.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=1, max=65535, help="The port to listen on.")] = 8000,
    workers: Annotated[int, typer.Option(min=1, max=256, help="How many processes share the port.")] = 1,
) -> None:
    """Run the API on the engines that the settings name."""
    settings = _checked_settings()
    with _refusals():
        asyncio.run(require_free_port(host, port))
    run_api(settings, host, port, workers)


@app.command()
def worker() -> None:
    """Run the worker on the engines that the settings name."""
    run_worker(_checked_settings())


def _checked_settings() -> Settings:
    """Whatever an operator can put right is said before anything starts, in one line."""
    settings = load_settings()
    with _refusals():
        _check_embeddings(settings)
        _check_cache(settings)
        _check_mail(settings)
        secret_key(settings)
        asyncio.run(_check_database(settings))
    return settings


@contextmanager
def _refusals() -> Iterator[None]:
    try:
        yield
    except (MissingUrlError, EmbeddingError, PrivilegedRoleError, EngineError) as error:
        raise Refusal(str(error)) from None
    except OSError as error:
        raise Refusal(f"DATA_DIR: {error.filename}: {(error.strerror or str(error)).lower()}") from None


def _check_embeddings(settings: Settings) -> None:
    chosen = settings.embeddings
    embedding_engine(chosen)
    if chosen.engine == "minilm":
        installed_files(settings.data_dir / "models")
    if chosen.engine == "openai" and chosen.dimension not in DIMENSIONS:
        raise Refusal(f"EMBEDDINGS__DIMENSION is one of {', '.join(map(str, DIMENSIONS))}")


def _check_cache(settings: Settings) -> None:
    if settings.cache.url is None:
        raise Refusal("CACHE__URL is not set")
    try:
        _ = create_cache(settings.cache.url.get_secret_value())
    except ValueError:
        raise Refusal("CACHE__URL is no URL: redis://:PASSWORD@HOST:PORT/0, or rediss:// with TLS") from None


def _check_mail(settings: Settings) -> None:
    try:
        _ = create_mailer(settings)
    except OSError as error:
        raise Refusal(f"MAIL__CA_FILE: {settings.mail.ca_file}: {(error.strerror or str(error)).lower()}") from None
    except ValueError as error:
        raise Refusal(f"MAIL__FROM: {error}") from None


async def _check_database(settings: Settings) -> None:
    url = await require_postgres("DATABASE__URL", settings.database.url)
    if settings.database.direct_url is not None:
        await require_postgres("DATABASE__DIRECT_URL", settings.database.direct_url)
    engine = engines.create_engine(url, pool_size=1, overflow=0, settings={})
    try:
        await refuse_privileged_role(engine)
    finally:
        await engine.dispose()
