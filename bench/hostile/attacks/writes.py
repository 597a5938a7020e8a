"""Repeated writes that are cheap to request and costly to execute."""

from __future__ import annotations

import asyncio
import itertools
import json
from collections.abc import Iterator

from bench.hostile.attack import Attack
from bench.hostile.hostile import API, Hostile, Json

MB = 1_000_000


async def large_document(hostile: Hostile, size: int = 9 * MB) -> str:
    """Creates a large document; returns its path."""
    await hostile.set_up()
    made = await hostile.fetch(hostile.upload(b"word " * (size // 5), name="a.txt"))
    return f"{hostile.here}/documents/{made['id']}"


async def reindex(hostile: Hostile) -> None:
    path = await large_document(hostile)
    line = hostile.ask("POST", f"{path}/reindex")
    hostile.begin()
    await hostile.flood(itertools.repeat(line), connections=4, most=2000)


async def reindex_many(hostile: Hostile) -> None:
    await hostile.set_up()
    ids = [await hostile.new_document("word " * 20_000) for _ in range(5)]
    lines = [hostile.ask("POST", f"{hostile.here}/documents/{each}/reindex") for each in ids]
    hostile.begin()
    await hostile.flood(itertools.cycle(lines), connections=4, most=2000)


async def patch_titles(hostile: Hostile) -> None:
    path = await large_document(hostile)
    lines = (hostile.ask("PATCH", path, {"title": f"a{number}"}) for number in itertools.count())
    hostile.begin()
    await hostile.flood(lines, connections=4, most=500)


async def patch_names(hostile: Hostile) -> None:
    """Each adds an event of some kilobytes without changing the project's size."""
    await hostile.set_up()
    path = f"{hostile.here}/documents/{await hostile.new_document('a')}"
    wide = "\U00020000" * 480
    lines = (
        hostile.ask("PATCH", path, {"title": f"{wide}{number}", "external_id": f"{number}{wide}"})
        for number in itertools.count()
    )
    hostile.begin()
    await hostile.flood(lines, connections=16, most=3_000)


async def patch_content(hostile: Hostile) -> None:
    path = await large_document(hostile)
    text = "word " * 1_000_000
    lines = (hostile.ask("PATCH", path, {"content": f"{number}{text}"}) for number in itertools.count())
    hostile.begin()
    await hostile.flood(lines, connections=2, most=40)


async def restore(hostile: Hostile) -> None:
    path = await large_document(hostile)
    await hostile.call("PATCH", path, {"content": "short"})
    lines = itertools.cycle([hostile.ask("POST", f"{path}/versions/{number}/restore") for number in (1, 2)])
    hostile.begin()
    await hostile.flood(lines, connections=4, most=300)


async def batches(hostile: Hostile) -> None:
    await hostile.set_up()
    body = json.dumps({"documents": [{"title": "a", "content": "word " * 100}] * 500}).encode()
    hostile.begin()
    await hostile.flood(itertools.repeat(hostile.ask("POST", f"{hostile.here}/documents/batch", body)), most=60)


async def large_documents(hostile: Hostile) -> None:
    await hostile.set_up()
    body = json.dumps({"title": "a", "content": "word " * 1_800_000}).encode()
    hostile.begin()
    await hostile.flood(itertools.repeat(hostile.ask("POST", f"{hostile.here}/documents", body)), most=40)


async def races(hostile: Hostile) -> None:
    """Concurrent writers of one row, with and without `If-Match`."""
    await hostile.set_up()
    path = f"{hostile.here}/documents/{await hostile.new_document()}"
    lines = [hostile.ask("PATCH", path, {"title": "a"}), hostile.ask("PATCH", path, {"title": "b"}, If_Match='"1"')]
    lines += [
        hostile.ask("PUT", path, {"title": "c", "content": "c"}),
        hostile.ask("PATCH", hostile.here, {"name": "d"}),
    ]
    hostile.begin()
    await hostile.flood(itertools.cycle(lines), connections=32)


async def same_key(hostile: Hostile) -> None:
    """60 concurrent requests with one `Idempotency-Key`."""
    await hostile.set_up()
    line = hostile.ask("POST", f"{hostile.here}/documents", {"title": "a", "content": "a" * MB}, Idempotency_Key="one")
    hostile.begin()
    await hostile.flood(itertools.repeat(line), connections=60, most=600)


async def many_keys(hostile: Hostile) -> None:
    """Answers that the server stores for replay."""
    await hostile.set_up()
    body = {"title": "a", "content": "a", "metadata": {"a": "b" * 10_000}}
    target = f"{hostile.here}/documents"
    hostile.begin()
    await hostile.flood((hostile.ask("POST", target, body, Idempotency_Key=key * 8) for key in _numbers()), most=5000)


def _numbers() -> Iterator[str]:
    return (f"{number:06d}" for number in itertools.count())


async def projects(hostile: Hostile) -> None:
    """Creates and deletes projects concurrently."""
    await hostile.set_up()
    hostile.begin()
    made = hostile.flood((hostile.ask("POST", f"{API}/projects", {"name": n}) for n in _numbers()), most=1000)
    await asyncio.gather(made, _deleting(hostile))


async def _deleting(hostile: Hostile) -> None:
    while hostile.left > 0.6:
        await asyncio.sleep(0.5)
        found = await hostile.call("GET", f"{API}/projects?limit=20")
        items = found["items"]
        assert isinstance(items, list)
        await hostile.flood([hostile.ask("DELETE", f"{API}/projects/{each['id']}") for each in items], connections=2)


async def delete_large(hostile: Hostile) -> None:
    """Deletes a project of 27 MB and 1,500 documents while it is read."""
    await large_document(hostile)
    for _ in range(2):
        await hostile.fetch(hostile.upload(b"word " * (9 * MB // 5), name="a.txt"))
    body = {"documents": [{"title": "a", "content": "word " * 300}] * 500}
    for _ in range(3):
        await hostile.call("POST", f"{hostile.here}/documents/batch", body)
    lines = [hostile.ask("DELETE", hostile.here), hostile.ask("GET", hostile.here)]
    hostile.begin()
    await hostile.flood(itertools.cycle(lines), connections=8, most=400)
    await hostile.wait()


async def delete_documents(hostile: Hostile) -> None:
    path = await large_document(hostile)
    hostile.begin()
    await hostile.flood(itertools.repeat(hostile.ask("DELETE", path)), connections=16, most=200)


async def members(hostile: Hostile) -> None:
    """Thousands of invitations."""
    await hostile.set_up()
    lines = (
        hostile.ask("POST", f"{hostile.here}/invitations", {"email": f"a{n}@b.example", "role": "viewer"})
        for n in _numbers()
    )
    hostile.begin()
    await hostile.flood(lines, connections=8, most=2000)


async def budgets(hostile: Hostile) -> None:
    await hostile.set_up()
    bodies: tuple[Json, ...] = ({"tokens": 1000}, {}, {"tokens": 10**30}, {"cost": {"amount": "1e999999999"}})
    lines = [hostile.ask("PUT", f"{hostile.here}/budget", each) for each in bodies]
    hostile.begin()
    await hostile.flood(itertools.cycle([*lines, hostile.ask("GET", f"{hostile.here}/budget")]), connections=24)


ATTACKS = (
    Attack("reindex", 3, "`reindex` of one 9 MB document, 2,000 times", reindex, weight=3),
    Attack("reindex-many", 3, "`reindex` of five documents, 2,000 times", reindex_many),
    Attack("patch-titles", 4, "titles of a 9 MB document, 500 times", patch_titles, weight=3),
    Attack("patch-names", 4, "titles and external ids of 2 KB of a small document, 3,000 times", patch_names),
    Attack("patch-content", 3, "5 MB of new text for one document, 40 times", patch_content),
    Attack("restore", 4, "versions of a 9 MB document restored, 300 times", restore),
    Attack("batches", 4, "batches of 500 documents, 60 times", batches, weight=3),
    Attack("large-documents", 4, "documents of 9 MB, 40 times", large_documents),
    Attack("races", 3, "32 writers of one row", races),
    Attack("same-key", 3, "60 requests under one `Idempotency-Key`", same_key),
    Attack("many-keys", 4, "5,000 answers kept for replay", many_keys),
    Attack("projects", 4, "projects made and deleted", projects),
    Attack("delete-large", 5, "a project of 27 MB and 1,500 documents deleted 8 times at once", delete_large, weight=3),
    Attack("delete-document", 5, "a 9 MB document deleted 16 times at once", delete_documents),
    Attack("invitations", 4, "2,000 invitations", members),
    Attack("budgets", 3, "24 writers of one budget", budgets),
)
