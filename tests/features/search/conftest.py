from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import httpx2
import pytest
import structlog

from partywall.adapters.vectors.qdrant import Qdrant, QdrantOptions
from partywall.core.jobs import dead_letter
from partywall.core.outgoing.endpoints import open_endpoint_client, tls_context
from partywall.core.outgoing.retries import Retries
from partywall.core.resources import Resources
from partywall.features.search import document_indexer, indexer, passage_vectors, vector_sender
from partywall.testing.engines import DatabaseUrls
from partywall.testing.users import Users
from tests.adapters.embeddings.endpoint import Endpoint, serving
from tests.adapters.vectors.qdrant_server import qdrant_server
from tests.features.search.search_workspace import SearchWorkspace
from tests.features.search.vector_project import VectorProject


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Retries at once, and logs exceptions without frame locals, which take seconds to render."""
    monkeypatch.setattr(dead_letter, "FIRST_DELAY", dead_letter.FIRST_DELAY / 50)
    monkeypatch.setattr(document_indexer, "FIRST_PAUSE", document_indexer.FIRST_PAUSE / 50)
    monkeypatch.setattr(passage_vectors, "FIRST_PAUSE", passage_vectors.FIRST_PAUSE / 50)
    for name in ("SHORTEST_POLL", "LONGEST_POLL"):
        monkeypatch.setattr(indexer, name, 0.05)
    before = structlog.get_config()
    structlog.configure([structlog.processors.format_exc_info, structlog.processors.KeyValueRenderer()])
    yield
    structlog.configure(**before)


@pytest.fixture
async def workspace(users: Users, resources: Resources, database: DatabaseUrls) -> SearchWorkspace:
    person = await users.person()
    return SearchWorkspace(users, person, await person.project(), resources, database)


@pytest.fixture
async def endpoint() -> AsyncIterator[Endpoint]:
    async with serving(Endpoint()) as running:
        yield running


@pytest.fixture
async def client() -> AsyncIterator[httpx2.AsyncClient]:
    async with open_endpoint_client(Retries(0), tls_context(None)) as opened:
        yield opened


@pytest.fixture
async def stocked(
    workspace: SearchWorkspace, client: httpx2.AsyncClient, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[VectorProject]:
    """Deletes the indexes of other tests, because a change of the engine affects the whole database."""
    for name in ("POLL", "FIRST_PAUSE", "LONGEST_PAUSE"):
        monkeypatch.setattr(vector_sender, name, 0.05)
    await workspace.users.execute("DELETE FROM search_index WHERE project_id <> $1", workspace.project)
    async with qdrant_server("edge", tmp_path) as server:
        engine = Qdrant.of(client, QdrantOptions(server.url, None, "test", timedelta(seconds=60)))
        yield VectorProject(workspace, replace(workspace.resources, vector_server=engine), server, engine)
