"""Another project's words and vectors have no effect: the same corpus gives the same scores, to the last bit."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any, Final
from uuid import UUID

import pytest

from partywall.core.resources import Resources
from partywall.features.search import vector_plan
from partywall.settings import Settings
from partywall.testing.engines import Urls
from partywall.testing.users import Person, Users
from tests.isolation.app_copies import Copy, open_copy
from tests.isolation.job_runner import index

# The corpus of every project: lengths differ, words repeat, one word is in many texts and one in a single text.
CORPUS: Final = [
    ("Harbour rules", "Ships wait outside the harbour until the pilot comes aboard. " * 3),
    ("Pilots", "The pilot knows the harbour, the tides and the sandbanks. Pilots are paid by the tide."),
    ("Customs", "Goods are declared to customs. Customs may open any container."),
    ("Containers", "A container is sealed. Containers are stacked. The harbour counts every container twice."),
    ("Tides", "The tide turns every six hours; the tide waits for nobody."),
    ("Canteen", "Soup on Mondays, fish on Fridays."),
]
QUERIES: Final = ("harbour pilot", "container customs tide", "who waits for the tide?", "soup harbour")
# The neighbour's text: the same words, many times, with others around them.
SHOUTED: Final = "harbour pilot container customs tide soup waits " * 20
LOUD: Final = 60

type Hit = dict[str, Any]


@pytest.fixture(scope="module")
async def empty_copy(
    engines: Urls, settings: Settings, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[Copy]:
    """A database without other users."""
    directory: Path = tmp_path_factory.mktemp("street")
    async with open_copy(engines, settings, "street", directory) as copy:
        yield copy


async def fill(users: Users, resources: Resources, person: Person, corpus: list[tuple[str, str]]) -> UUID:
    project = await person.project()
    batch = {"documents": [{"title": title, "content": content} for title, content in corpus]}
    made = await person.client.post(f"/api/v1/projects/{project}/documents/batch", json=batch)
    assert made.status_code == 201, made.text
    await index(users, resources, project, *(UUID(item["id"]) for item in made.json()["items"]))
    return project


async def answers(person: Person, project: UUID) -> list[list[Hit]]:
    """Every query in every mode, without ids, which differ between projects."""
    found = []
    for mode in ("text", "vector", "hybrid"):
        for q in QUERIES:
            params = {"q": q, "mode": mode, "group": "chunk", "limit": 20, "explain": "true"}
            answer = await person.client.get(f"/api/v1/projects/{project}/search", params=params)
            assert answer.status_code == 200, answer.text
            items: list[Hit] = answer.json()["items"]
            found.append([{k: v for k, v in item.items() if not k.endswith("_id")} for item in items])
    return found


async def moved(users: Users, resources: Resources) -> list[str]:
    """In which situations the scores changed in any bit after a neighbour ten times as large was added."""
    person, neighbour = await users.person(), await users.person()
    project = await fill(users, resources, person, CORPUS)
    alone = await answers(person, project)
    assert any(hits and len({hit["explanation"]["fused"] for hit in hits}) > 2 for hits in alone), "nothing to compare"
    await fill(users, resources, neighbour, [(f"Loud {number}", SHOUTED) for number in range(LOUD)])
    await users.execute("ANALYZE")
    found = ["beside the neighbour"] if await answers(person, project) != alone else []
    newcomer = await fill(users, resources, person, CORPUS)
    return found + (["moved in later"] if await answers(person, newcomer) != alone else [])


async def test_a_loud_neighbour_changes_no_score(empty_copy: Copy) -> None:
    """Alone, then beside a neighbour ten times as large, then as a new project beside it."""
    assert await moved(empty_copy.users, empty_copy.resources) == []


async def test_the_neighbours_vectors_crowd_nobody_out(empty_copy: Copy, monkeypatch: pytest.MonkeyPatch) -> None:
    """In the shared approximate index: hundreds of nearer vectors of another project displace none of ours."""
    copy = empty_copy
    person, neighbour = await copy.users.person(), await copy.users.person()
    project = await fill(copy.users, copy.resources, person, CORPUS)
    exact = await answers(person, project)
    loud = await fill(copy.users, copy.resources, neighbour, [(f"Loud {number}", SHOUTED) for number in range(LOUD)])
    for each in (project, loud):
        await approximate(copy, each)
    await add_nearest_vectors(copy, loud, QUERIES[0])
    monkeypatch.setattr(vector_plan, "uses_index", lambda *_: True)
    # The planner prefers a sort for such a small project.
    await copy.users.execute(f'ALTER DATABASE "{copy.database_name}" SET enable_sort = off')
    before = await index_scans(copy)
    params: dict[str, str | int] = {"q": QUERIES[0], "mode": "vector", "group": "chunk", "limit": 20}
    answer = await person.client.get(f"/api/v1/projects/{project}/search", params=params)
    found = [(item["title"], item["score"]) for item in answer.json()["items"]]
    assert found == [(item["title"], item["score"]) for item in exact[len(QUERIES)]]
    assert len(found) == len(CORPUS)
    assert await index_scans(copy) > before, "the shared index was not used"


async def index_scans(copy: Copy) -> int:
    """How many index scans there were; a connection reports them when it ends."""
    await copy.resources.engine.dispose()
    query = "SELECT idx_scan FROM pg_stat_user_indexes WHERE indexrelname = 'embedding_hnsw_256'"
    found: int = (await copy.users.fetch(query))[0]["idx_scan"]
    return found


async def approximate(copy: Copy, project: UUID) -> None:
    await copy.users.execute("UPDATE embedding SET approximate = true WHERE project_id = $1", project)
    await copy.users.execute("UPDATE search_index SET approximate = true WHERE project_id = $1", project)


async def add_nearest_vectors(copy: Copy, project: UUID, query: str) -> None:
    """Gives 600 of the neighbour's rows the query's vector: more than one index scan returns."""
    vector = await copy.resources.embedders.current.embed_query(query)
    text = "[" + ",".join(str(float(number)) for number in vector) + "]"
    for number in range(10):
        await copy.users.execute(
            "INSERT INTO search_index (project_id, id, model, dimension, status)"
            " VALUES ($1, uuidv7(), $2, 256, 'retired')",
            project,
            f"model {number}",
        )
    await copy.users.execute(
        "INSERT INTO embedding (project_id, index_id, chunk, dimension, approximate, embedding)"
        " SELECT c.project_id, i.id, c.number, 256, true, $2::text::halfvec FROM chunk AS c JOIN search_index AS i"
        " ON i.project_id = c.project_id AND i.status = 'retired' WHERE c.project_id = $1",
        project,
        text,
    )
    await copy.users.execute("ANALYZE embedding")


async def test_what_a_search_knows_of_the_corpus_is_its_own(empty_copy: Copy) -> None:
    """The counts behind the scores, as the database stores them."""
    copy, person = empty_copy, await empty_copy.users.person()
    project = await fill(copy.users, copy.resources, person, CORPUS)
    kept = await copy.users.fetch("SELECT chunks, terms FROM search_statistic WHERE project_id = $1", project)
    own = await copy.users.fetch(
        "SELECT count(*) AS chunks, sum(length) AS terms FROM chunk WHERE project_id = $1", project
    )
    assert tuple(kept[0]) == tuple(own[0])
