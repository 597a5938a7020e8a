"""Checks before the API or a worker starts; a problem that an operator can fix is one line."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager

from partywall.adapter_options import (
    MissingUrlError,
    create_mailer,
    embedding_engine,
    open_vector_server,
    refusal_of_blobs,
    require_dimension,
)

# lint: allow adapter-import - checks for the model's files before any process starts
from partywall.adapters.embeddings.installed import require_installed
from partywall.commands.cache import cache_at, refuse_wrong_cache
from partywall.commands.configuration import load_settings
from partywall.commands.directories import require_authorities, require_directories
from partywall.commands.features import require_features, require_policies
from partywall.commands.ocr import require_ocr
from partywall.commands.postgres import database_failures, require_postgres
from partywall.commands.usage_error import UsageError
from partywall.core.db import engine as engines
from partywall.core.db.roles import PrivilegedRoleError, refuse_privileged_role
from partywall.core.embedders import EmbeddingError
from partywall.core.outgoing.endpoints import shared_tls
from partywall.features.agents.registry import RegistrationError, registry_of
from partywall.secret_key import secret_key
from partywall.settings import Settings
from partywall.supervisor.engines import EngineError


def checked_settings(*, api: bool = False, worker: bool = False) -> Settings:
    """Loads the settings and checks what needs no engine, for a process of these kinds. Raises UsageError."""
    settings = load_settings()
    require_features(settings, api=api, worker=worker)
    require_authorities(settings)
    require_directories(settings, make=True)
    if worker:
        require_ocr(settings)
    with refusals():
        _check_embeddings(settings)
        _ = cache_at(settings.cache.url)
        _check_mail(settings)
        _check_agents(settings)
        secret_key(settings)
    return settings


def require_engines(settings: Settings) -> None:
    """Checks that this version can use the database and the cache. Raises UsageError."""
    with refusals():
        asyncio.run(_check_engines(settings))
    require_blobs(settings)


def require_blobs(settings: Settings) -> None:
    """Checks that the blob store accepts our credentials if it answers. Raises UsageError."""
    if (refusal := refusal_of_blobs(settings)) is not None:
        raise UsageError(refusal)


@contextmanager
def refusals() -> Iterator[None]:
    """Turns errors about settings or the machine into a UsageError."""
    try:
        yield
    except (MissingUrlError, EmbeddingError, PrivilegedRoleError, EngineError, RegistrationError) as error:
        raise UsageError(str(error)) from None
    except OSError as error:
        raise UsageError(f"DATA_DIR: {error.filename}: {(error.strerror or str(error)).lower()}") from None


def _check_embeddings(settings: Settings) -> None:
    chosen = settings.embeddings
    embedding_engine(chosen)
    require_installed(chosen.engine, settings.data_dir / "models")


def _check_mail(settings: Settings) -> None:
    try:
        _ = create_mailer(settings)
    except ValueError as error:
        raise UsageError(f"MAIL__FROM: {error}") from None


def _check_agents(settings: Settings) -> None:
    """Checks that the modules define agents, and that each agent of AGENTS__MODELS exists."""
    if not (settings.agents.modules or settings.agents.models):
        return
    # lint: allow import-in-function - imports all features, which a start without such settings does not need
    from partywall.extensions.agents import declared_agents  # noqa: PLC0415 - see above

    # lint: allow import-in-function - as above
    from partywall.extensions.enabled import enabled_features  # noqa: PLC0415 - see above

    declared = declared_agents(enabled_features(settings.features.enabled))
    known = registry_of(declared, settings.agents.modules).by_name
    for name in settings.agents.models.keys() - known.keys():
        raise UsageError(
            f"AGENTS__MODELS__{name.upper()}: no agent has this name: use one of {', '.join(sorted(known))}"
        )


async def _check_engines(settings: Settings) -> None:
    await _check_database(settings)
    await refuse_wrong_cache(settings.cache.url)
    await require_dimension(settings)
    await _check_vector_server(settings)


async def _check_vector_server(settings: Settings) -> None:
    if settings.vectors.engine == "pgvector":
        return
    async with open_vector_server(settings.vectors, shared_tls(settings.outgoing.ca_file)) as server:
        if server is not None and (refusal := await server.refusal()) is not None:
            raise UsageError(refusal)


async def _check_database(settings: Settings) -> None:
    database = settings.database
    options = engines.server_settings("partywall-start", **database.limits_ms())
    url = await require_postgres("DATABASE__URL", database.url, direct=None if database.pooled else options)
    if database.pooled:
        await require_postgres("DATABASE__DIRECT_URL", database.direct_url, direct=options)
    engine = engines.create_engine(url, pool_size=1, overflow=0, settings={}, pooled=True)
    try:
        with database_failures():
            await refuse_privileged_role(engine)
            await require_policies(settings, engine)
    finally:
        await engine.dispose()
