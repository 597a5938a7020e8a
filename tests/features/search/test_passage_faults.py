"""Texts that an embedding server refuses or truncates are reported on the document, despite interruptions."""

from __future__ import annotations

from datetime import timedelta
from functools import partial
from uuid import UUID

import httpx2
import pytest
from starlette.responses import JSONResponse, Response

from partywall.adapters.embeddings import requests
from partywall.features.search import (
    document_indexer,
    large_documents,
    missing_vectors,
    passage_vectors,
    vector_filler,
)
from partywall.features.search.exceptions import IndexesChanged
from partywall.features.search.index_rebuild import notice_change
from partywall.testing.conditions import until
from partywall.testing.workers import working
from tests.adapters.embeddings.endpoint import Endpoint
from tests.adapters.embeddings.test_errors import Rule, no_longer_than, not_about
from tests.features.search.search_workspace import SearchWorkspace
from tests.features.search.test_document_indexer import status
from tests.features.search.test_embedding_servers import has_status, is_true, settle, told, using, vectors

REFUSED = (
    "failed",
    "Text search only: the embedding model refused 1 passage: the embeddings endpoint answered 400: no",
)
SHORTENED = ("indexed", "Too long for the embedding model: it read only the beginning of 1 passage")
CASES = {"refused": ("poison", REFUSED), "shortened": ("filler " * 100, SHORTENED)}


@pytest.fixture(autouse=True)
def at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(requests, "_RETRY_SECONDS", 0.0)
    monkeypatch.setattr(passage_vectors, "FIRST_PAUSE", 0.001)
    for name in ("FIRST_PAUSE", "_SHORTLY"):
        monkeypatch.setattr(missing_vectors, name, timedelta(milliseconds=1))


def picky(texts: list[str]) -> Response | None:
    """Refuses texts that contain "poison" and texts that are too long."""
    return not_about("poison", 400)(texts) or no_longer_than(600, 400)(texts)


def down_once_found() -> Rule:
    """A server that goes down after the bad text was found, when the first "After" text arrives."""
    found, down = False, False

    def rule(texts: list[str]) -> Response | None:
        nonlocal found, down
        down = down or (found and any("After" in text for text in texts))
        refusal = picky(texts)
        alone = len(texts) == 1 and "Unreadable" in texts[0]
        found = found or (alone and (refusal is None or "poison" in texts[0]))
        return JSONResponse({"detail": "away"}, 503) if down else refusal

    return rule


@pytest.mark.parametrize("case", CASES)
async def test_an_outage_after_the_bad_text_was_found(
    workspace: SearchWorkspace, endpoint: Endpoint, client: httpx2.AsyncClient, case: str
) -> None:
    resources, (text, expected) = await using(workspace, endpoint, client), CASES[case]
    endpoint.rule = down_once_found()
    before = [await workspace.put(f"Before {number}", "words") for number in range(3)]
    bad = await workspace.put("Unreadable", text)
    after = [await workspace.put(f"After {number}", "words") for number in range(3)]

    async def is_stored_alone() -> bool:
        return await vectors(workspace, bad) == 1 and await vectors(workspace, after[-1]) == 0

    async with working(resources):
        await until(is_stored_alone)
        assert (await status(workspace, bad))[0] == "pending"
        endpoint.rule = picky
        await until(partial(has_status, workspace, bad, expected[0]))
        for each in (*before, *after):
            await until(partial(has_status, workspace, each, "indexed"))
    assert await status(workspace, bad) == expected
    assert [await status(workspace, each) for each in (*before, *after)] == [("indexed", None)] * 6
    assert await told(workspace, bad) == [f"document.{expected[0]}"]
    endpoint.rule = None
    await workspace.ask(bad)
    await settle(workspace, resources)
    assert await status(workspace, bad) == ("indexed", None), "the document must be processed again"


@pytest.mark.parametrize("case", CASES)
async def test_an_interruption_before_the_document_is_settled(
    workspace: SearchWorkspace,
    endpoint: Endpoint,
    client: httpx2.AsyncClient,
    monkeypatch: pytest.MonkeyPatch,
    case: str,
) -> None:
    """The interruption is a new index of another model; a stopping worker has the same effect."""
    resources, (text, expected) = await using(workspace, endpoint, client), CASES[case]
    endpoint.rule = picky
    bad = await workspace.put("Unreadable", text)
    original, interrupted = missing_vectors._Group.add, list[UUID]()

    async def add(group: missing_vectors._Group) -> None:
        mine = [each.id for each in group.documents if each.id == bad]
        if mine and not interrupted:
            interrupted.extend(mine)
            with monkeypatch.context() as patched:
                patched.setattr(missing_vectors._Group, "_settle", interrupt)
                await original(group)
        await original(group)

    async def interrupt(*_: object) -> None:
        raise IndexesChanged

    monkeypatch.setattr(missing_vectors._Group, "add", add)
    await settle(workspace, resources)
    assert interrupted == [bad]
    assert await status(workspace, bad) == expected


@pytest.fixture
def one_step_a_turn(monkeypatch: pytest.MonkeyPatch) -> None:
    """Ends each time slice once the vectors of two passages are stored."""
    for module in (document_indexer, large_documents, vector_filler):
        monkeypatch.setattr(module, "CHUNKS_AT_ONCE", 2)
    over = False
    store = vector_filler.VectorFiller._store

    def begin(_: vector_filler.TimeSlice) -> None:
        nonlocal over
        over = False

    async def stored(filling: vector_filler.VectorFiller, *values: object) -> None:
        nonlocal over
        await store(filling, *values)  # type: ignore[arg-type]  # as they were given
        over = True

    monkeypatch.setattr(vector_filler.TimeSlice, "__post_init__", begin)
    monkeypatch.setattr(vector_filler.TimeSlice, "is_over", property(lambda _: over))
    monkeypatch.setattr(vector_filler.VectorFiller, "_store", stored)


def text_with(poisoned: int) -> str:
    """Eight passages; the first `poisoned` ones contain "poison"."""
    passages = [
        f"# Part {number}\n\n{'poison' if number < poisoned else 'words'} {'filler ' * 200}" for number in range(8)
    ]
    return "\n\n".join(passages)


@pytest.mark.parametrize(
    ("code", "poisoned", "said"),
    [
        (400, 1, "refused 1 passage: the embeddings endpoint answered 400: no"),
        (503, 1, "fails at 1 passage: the embeddings endpoint answered 503: no"),
        (503, 2, "fails at 2 passages: the embeddings endpoint answered 503: no"),
    ],
    ids=["refused", "failing alone", "failing together"],
)
@pytest.mark.usefixtures("one_step_a_turn")
async def test_all_other_passages_get_their_vectors(
    workspace: SearchWorkspace, endpoint: Endpoint, client: httpx2.AsyncClient, monkeypatch: pytest.MonkeyPatch,
    code: int, poisoned: int, said: str,
) -> None:  # fmt: skip
    """With two bad passages MOST_FAILURES ends the call before they are requested one by one."""
    if poisoned > 1:
        monkeypatch.setattr(requests, "MOST_FAILURES", 2)
    resources = await using(workspace, endpoint, client)
    endpoint.rule = not_about("poison", code)
    document = await workspace.put("Large", text_with(poisoned))
    await settle(workspace, resources)
    assert await status(workspace, document) == ("failed", f"Text search only: the embedding model {said}")
    missing = "SELECT count(*) FROM embedding WHERE project_id = $1 AND l2_norm(embedding) > 0"
    assert await workspace.value(missing, workspace.project) == 8 - poisoned


@pytest.mark.usefixtures("one_step_a_turn")
async def test_a_truncation_note_survives_its_time_slice(
    workspace: SearchWorkspace, endpoint: Endpoint, client: httpx2.AsyncClient
) -> None:
    resources = await using(workspace, endpoint, client)
    endpoint.rule = lambda texts: no_longer_than(250, 413)(texts) if any("poison" in text for text in texts) else None
    document = await workspace.put("Large", text_with(1))
    await settle(workspace, resources)
    assert await status(workspace, document) == SHORTENED


async def test_refusals_of_a_new_model_are_reported_once_its_index_serves(
    workspace: SearchWorkspace, endpoint: Endpoint, client: httpx2.AsyncClient
) -> None:
    await workspace.users.execute("DELETE FROM search_index WHERE project_id <> $1", workspace.project)
    old, new = await using(workspace, endpoint, client, "old"), await using(workspace, endpoint, client, "new")
    good = await workspace.put("Good", "words")
    bad = {case: await workspace.put(case, text) for case, (text, _) in CASES.items()}
    await settle(workspace, old)
    assert [await status(workspace, each) for each in (good, *bad.values())] == [("indexed", None)] * 3
    endpoint.rule = picky
    await notice_change(new)
    said = "SELECT index_error IS NOT DISTINCT FROM $2 AND index_status = $3 FROM document WHERE id = $1"
    async with working(new):
        for case, document in bad.items():
            wanted, note = CASES[case][1]
            await until(partial(is_true, workspace, said, document, note, wanted))
    assert (await told(workspace, bad["refused"]))[-1] == "document.failed"
    assert await told(workspace, good) == ["document.indexed"]
