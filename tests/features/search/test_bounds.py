"""Limits on the cost of a search query."""

from __future__ import annotations

import asyncio
import threading
from dataclasses import replace
from datetime import timedelta

import pytest

from partywall.core.db.scoped_access import ScopedReader
from partywall.core.recent_use import MUCH_SECONDS
from partywall.core.tenant import Tenant
from partywall.features.search import service
from partywall.features.search.constants import QUERY_TOKENS
from partywall.features.search.exceptions import SearchTimeoutError
from partywall.features.search.highlights import Highlighter
from partywall.features.search.schemas import SearchQuery
from partywall.features.search.service import SearchService
from partywall.features.search.terms import QueryWords
from partywall.testing.users import Users
from tests.features.search.search_workspace import SearchWorkspace


async def test_a_question_has_at_most_a_thousand_characters(workspace: SearchWorkspace) -> None:
    await workspace.index(await workspace.put("Cats", "The cat sleeps."))
    for most in ("cat " * 250, "\u6f22" * 1000):
        assert (await workspace.search(most)).status_code == 200
    answer = await workspace.search("\u6f22" * 1001)
    assert (answer.status_code, answer.headers["content-type"]) == (422, "application/problem+json")
    assert answer.json()["errors"][0]["pointer"] == "/query/q"


@pytest.mark.parametrize(
    ("query", "words"),
    [
        ("cat " * 250, "cat"),
        ("the cat and the dog", "the cat and dog"),
        (" ".join(map(str, range(500))), " ".join(map(str, range(QUERY_TOKENS)))),
    ],
    ids=["repeated", "twice", "many"],
)
def test_words_are_few_and_asked_for_once(query: str, words: str) -> None:
    assert QueryWords.of(query, ["simple"]).parameters["words"] == words.split()


@pytest.mark.parametrize(
    "q",
    [
        "漢" * 1000, "a-" * 500, "a.b/c@d " * 125, "the and of " * 90, "()&|!<->:*'\\" * 75, "é" * 1000,
        " ".join(chr(0x4E00 + number) for number in range(500)),
    ],
    ids=["cjk", "hyphens", "addresses", "stop-words", "operators", "accents", "letters"],
)  # fmt: skip
async def test_a_hostile_question_is_answered(workspace: SearchWorkspace, q: str) -> None:
    await workspace.index(await workspace.put("Cats", "The cat sleeps. " * 100))
    answer = await workspace.search(q, limit=100, group="chunk")
    assert answer.status_code == 200, answer.text


async def test_one_that_takes_too_long_is_ended_and_says_so(workspace: SearchWorkspace, users: Users) -> None:
    await workspace.index(await workspace.put("Cats", "The cat sleeps."))
    reader = ScopedReader(workspace.resources.reads, workspace.person.principal)
    searching = SearchService.of(reader, workspace.resources)
    async with users.transaction() as connection:
        await connection.execute("LOCK posting IN ACCESS EXCLUSIVE MODE")
        with pytest.raises(SearchTimeoutError) as ended:
            await replace(searching, timeout=timedelta(seconds=0.1)).search(workspace.project, SearchQuery(q="cat"))
    assert (ended.value.status, ended.value.code) == (503, "search_timeout")
    assert ended.value.headers["Retry-After"]


async def test_one_account_searches_a_few_times_at_once_and_others_meanwhile(
    workspace: SearchWorkspace, users: Users
) -> None:
    await workspace.index(await workspace.put("Cats", "The cat sleeps."))
    other = await users.person()
    project = await other.project()
    slots, tenant = workspace.resources.searches, workspace.person.principal.tenant
    taken = 0
    while slots.try_acquire(tenant):
        taken += 1
    waiting = asyncio.create_task(workspace.titles("cat"))
    try:
        assert taken == workspace.resources.settings.search.concurrency_per_account
        path = f"/api/v1/projects/{project}/search"
        assert (await other.client.get(path, params={"q": "cat"})).status_code == 200
        await asyncio.sleep(0)
        assert not waiting.done()
    finally:
        for _ in range(taken):
            slots.release(tenant)
    assert await waiting == ["Cats"]


async def test_an_account_whose_searches_take_long_has_fewer_at_once(
    workspace: SearchWorkspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Ordinary ones do not count."""
    await workspace.index(await workspace.put("Cats", "The cat sleeps."))
    slots, tenant = workspace.resources.searches, workspace.person.principal.tenant
    monkeypatch.setattr(service, "ORDINARY_SECONDS", 60.0)
    assert await workspace.titles("cat") == ["Cats"]
    assert slots.try_acquire(tenant)
    assert slots.try_acquire(tenant)
    for _ in range(2):
        slots.release(tenant)
    monkeypatch.setattr(service, "ORDINARY_SECONDS", -MUCH_SECONDS)
    assert await workspace.titles("cat") == ["Cats"]
    assert slots.try_acquire(tenant)
    try:
        assert not slots.try_acquire(tenant)
    finally:
        slots.release(tenant)


async def test_highlights_are_computed_in_a_thread_without_a_connection(
    workspace: SearchWorkspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    await workspace.index(await workspace.put("Cats", "The cat sleeps."))
    seen, add = list[tuple[bool, int]](), Highlighter.add

    def observed(self: Highlighter, configuration: str, text: str) -> None:
        pool = workspace.resources.engine.pool
        seen.append((threading.current_thread() is threading.main_thread(), pool.checkedout()))  # type: ignore[attr-defined]  # a queue pool's
        add(self, configuration, text)

    monkeypatch.setattr(Highlighter, "add", observed)
    assert (await workspace.search("cat")).json()["items"][0]["highlights"] == [{"start": 4, "end": 7}]
    assert seen == [(False, 0)]


async def test_the_answers_of_one_account_are_marked_one_after_another(
    workspace: SearchWorkspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Others are not kept waiting: they have a thread of their own."""
    await workspace.index(await workspace.put("Cats", "The cat sleeps."))
    under_way, go = list[int](), threading.Event()
    add = Highlighter.add

    def held(self: Highlighter, configuration: str, text: str) -> None:
        under_way.append(1)
        go.wait()
        add(self, configuration, text)

    monkeypatch.setattr(Highlighter, "add", held)
    searches = [asyncio.create_task(workspace.titles("cat")) for _ in range(3)]
    try:
        slots = workspace.resources.highlighting.slots
        while slots.in_use + slots.waiting < len(searches):
            await asyncio.sleep(0.01)
        assert (len(under_way), slots.in_use) == (1, 1)
        assert await workspace.resources.highlighting.run(lambda: "another's", Tenant("another")) == "another's"
    finally:
        go.set()
    assert await asyncio.gather(*searches) == [["Cats"]] * 3


@pytest.mark.parametrize(
    "text",
    [" ".join(f"E-{number}/x.{number}" for number in range(5_000)), "".join(map(chr, range(0x4E00, 0x5E00)))],
    ids=["codes", "cjk"],
)
def test_what_is_not_stemmed_and_nobody_asked_for_is_not_looked_up(text: str) -> None:
    highlighter = Highlighter.of(QueryWords.of("E-4021 \u6f22\u5b57", ["english"]).words)
    asked = len(highlighter.words.numbers)
    highlighter.add("english", text)
    assert len(highlighter.words.numbers) < asked + 5
