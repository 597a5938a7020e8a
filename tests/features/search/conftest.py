from __future__ import annotations

import pytest

from partywall.core.jobs import attempts
from partywall.core.resources import Resources
from tests.engines import DatabaseUrls
from tests.features.search.library import Shelf
from tests.people import People


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(attempts, "FIRST_DELAY", attempts.FIRST_DELAY / 50)


@pytest.fixture
async def shelf(people: People, resources: Resources, database: DatabaseUrls) -> Shelf:
    person = await people.person()
    return Shelf(people, person, await person.project(), resources, database)
