from __future__ import annotations

from collections.abc import AsyncIterator, Iterator

import httpx2
import pytest
import structlog

from partywall.core.jobs import dead_letter
from partywall.core.outgoing.endpoints import open_endpoint_client, tls_context
from partywall.core.outgoing.retries import Retries
from partywall.core.resources import Resources
from partywall.features.search import document_indexer, indexer, passage_vectors
from partywall.testing.engines import DatabaseUrls
from partywall.testing.users import Users
from tests.adapters.embeddings.endpoint import Endpoint, serving
from tests.features.search.search_workspace import SearchWorkspace


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
