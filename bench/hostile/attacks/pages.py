"""The largest pages of lists and searches, read slowly; and objects that are created and deleted in turn."""

from __future__ import annotations

import asyncio
import itertools
import json
from base64 import urlsafe_b64encode

from bench.hostile.attack import Attack
from bench.hostile.hostile import API, Hostile

READERS = 150


async def slow_lists(hostile: Hostile) -> None:
    """The largest pages of documents and versions, read 512 bytes at a time."""
    await hostile.set_up()
    metadata = {f"k{n}": "a" * 500 for n in range(115)}
    body = {"documents": [{"title": "\x01" * 500, "content": "a", "metadata": metadata}] * 100}
    await hostile.call("POST", f"{hostile.here}/documents/batch", body)
    document = await hostile.new_document("a " * 50_000)
    for number in range(60):
        await hostile.call("PATCH", f"{hostile.here}/documents/{document}", {"title": f"{number}" + "\x01" * 490})
    hostile.begin()
    ways = ("/documents?limit=100", "/documents?limit=100&offset=0", f"/documents/{document}/versions?limit=100")
    readers = (hostile.read_slowly(READERS // 3, hostile.ask("GET", hostile.here + way)) for way in ways)
    await asyncio.gather(*readers)


async def slow_runs(hostile: Hostile) -> None:
    await hostile.set_up()
    body = {"agent": "bench", "input": {"task": "a" * 190_000}}
    for _ in range(20):
        await hostile.flood([hostile.ask("POST", f"{hostile.here}/runs", body)], connections=1)
    hostile.begin()
    await hostile.read_slowly(READERS, hostile.ask("GET", f"{hostile.here}/runs?limit=100"))


async def slow_searches(hostile: Hostile) -> None:
    """Answers in which every word is a highlight."""
    await hostile.set_up()
    body = {"documents": [{"title": "\x01" * 500, "content": "z " * 1190}] * 100}
    await hostile.call("POST", f"{hostile.here}/documents/batch", body)
    await asyncio.sleep(4)
    hostile.begin()
    await hostile.read_slowly(READERS, hostile.ask("GET", f"{hostile.here}/search?q=z&limit=100&mode=text"))


async def cursors(hostile: Hostile) -> None:
    """Forged cursors, and offsets far beyond the end."""
    await hostile.set_up()
    await hostile.call("POST", f"{hostile.here}/documents/batch", {"documents": [{"title": "a", "content": ""}] * 500})
    deep = urlsafe_b64encode(b"a" * 16 + b"[" * 4000).decode()
    numbers = urlsafe_b64encode(b"a" * 16 + b"9" * 4000).decode()
    ways = [f"cursor={deep}", f"cursor={numbers}", "cursor=" + "a" * 5999, "cursor=" + "%ff" * 1500,
            f"offset={2**31 - 1}", f"offset={2**31 - 1}&limit=100&sort=title", "offset=0&q_title=" + "a" * 500,
            "offset=" + "9" * 4000]  # fmt: skip
    lists = ("/documents", "/runs", "/members", "/api-keys", "/webhooks", "/invitations")
    lines = [hostile.ask("GET", f"{hostile.here}{each}?{way}") for each in lists for way in ways]
    hostile.begin()
    await hostile.flood(itertools.cycle(lines), connections=16)


async def create_and_delete(hostile: Hostile) -> None:
    """Creates and deletes documents of 200 KB and projects in turn."""
    await hostile.set_up()
    hostile.begin()
    await asyncio.gather(*(_turn_over(hostile) for _ in range(4)), _turn_over_projects(hostile))


async def _turn_over(hostile: Hostile) -> None:
    body = {"title": "a", "content": "word " * 40_000}
    while hostile.left > 0:
        made = await _made(hostile, f"{hostile.here}/documents", body)
        if made is not None:
            await hostile.flood([hostile.ask("DELETE", f"{hostile.here}/documents/{made}")], connections=1)


async def _turn_over_projects(hostile: Hostile) -> None:
    while hostile.left > 0:
        made = await _made(hostile, f"{API}/projects", {"name": "a"})
        if made is not None:
            await hostile.flood([hostile.ask("DELETE", f"{API}/projects/{made}")], connections=1)


async def _made(hostile: Hostile, path: str, body: object) -> str | None:
    connection = await hostile.connect(1)
    if connection is None:
        return None
    try:
        answer = await connection.ask(hostile.ask("POST", path, body), keep=True)
    finally:
        connection.close()
    hostile.counts[str(answer.status)] += 1
    return str(json.loads(answer.body)["id"]) if answer.status == 201 else None


async def kept_answers(hostile: Hostile) -> None:
    """Documents whose answers of about 2 MB are stored, each with its own `Idempotency-Key`."""
    await hostile.set_up()
    body = {"title": "a", "content": "\x01" * 300_000}
    hostile.begin()
    keys = (f"k{number}" for number in itertools.count())
    lines = (hostile.ask("POST", f"{hostile.here}/documents", body, Idempotency_Key=key) for key in keys)
    await hostile.flood(lines, connections=4, most=60)


ATTACKS = (
    Attack("slow-lists", 7, "150 slow readers of the largest pages of documents and versions", slow_lists, weight=2),
    Attack("slow-runs", 7, "150 slow readers of a page of large runs", slow_runs, weight=2),
    Attack("slow-searches", 7, "150 slow readers of answers full of highlights", slow_searches, weight=2),
    Attack("cursors", 3, "made up cursors, offsets behind every end", cursors),
    Attack(
        "create-delete", 5, "documents of 200 KB and projects, made and deleted in turn", create_and_delete, weight=2
    ),
    Attack("kept-answers", 4, "documents of 300 KB under a key each", kept_answers),
)
