from __future__ import annotations

from collections.abc import Iterator

import pytest
import structlog

from partywall.core.jobs import attempts
from partywall.core.resources import Resources
from partywall.features.search import embedding, indexer, indexing
from tests.engines import DatabaseUrls
from tests.features.search.library import Shelf
from tests.people import People


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Retries follow at once, and structlog's default does not draw the locals of every frame, which takes seconds."""
    monkeypatch.setattr(attempts, "FIRST_DELAY", attempts.FIRST_DELAY / 50)
    monkeypatch.setattr(indexing, "FIRST_PAUSE", indexing.FIRST_PAUSE / 50)
    monkeypatch.setattr(embedding, "FIRST_PAUSE", embedding.FIRST_PAUSE / 50)
    for name in ("SHORTEST_POLL", "LONGEST_POLL"):
        monkeypatch.setattr(indexer, name, 0.05)
    before = structlog.get_config()
    structlog.configure([structlog.processors.format_exc_info, structlog.processors.KeyValueRenderer()])
    yield
    structlog.configure(**before)


@pytest.fixture
async def shelf(people: People, resources: Resources, database: DatabaseUrls) -> Shelf:
    person = await people.person()
    return Shelf(people, person, await person.project(), resources, database)
