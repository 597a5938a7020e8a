"""Times of searches through the HTTP API."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Final
from uuid import UUID

from bench.results import Result, p95
from bench.scale.data import Data
from bench.scale.questions import FILTERS, Json, queries
from bench.search_server import cpu_by_kind

TARGET_MS: Final = 100
MODES: Final = ("hybrid", "text", "vector")
_WARM_UP: Final = 15


async def search(data: Data, project: UUID, q: str, mode: str, tree: Json | None, **more: object) -> list[Json]:
    body = {"q": q, "mode": mode, "limit": 10, **({} if tree is None else {"filter": tree}), **more}
    answer = await data.server.client.post(f"/api/v1/projects/{project}/search", json=body)
    assert answer.status_code == 200, answer.text
    found: list[Json] = answer.json()["items"]
    return found


async def search_times(data: Data, count: int) -> list[Result]:
    """Of each size of project, in each mode and with each filter; and the mean CPU."""
    results = []
    for size, projects in sorted(data.projects.items()):
        project = projects[0]
        asked = queries(data, project, size, count + _WARM_UP)
        for mode in MODES:
            for name, trees in FILTERS.items():
                before = cpu_by_kind(data.server.pid)
                taken = await _taken(data, project, asked, mode, trees)
                used = {kind: cpu - before.get(kind, 0.0) for kind, cpu in cpu_by_kind(data.server.pid).items()}
                cpu = ", ".join(f"{kind} {used[kind] / len(asked) * 1000:.0f}" for kind in ("partywall", "postgres"))
                shown = f"p50 {taken[len(taken) // 2]:.0f} ms, p95 {p95(taken):.0f} ms; CPU {cpu} ms"
                each = Result(f"{size:,} passages, {mode}, {name}", shown, f"{TARGET_MS} ms", p95(taken) <= TARGET_MS)
                print(each.name, shown, flush=True)
                results.append(each)
    return results


async def _taken(
    data: Data, project: UUID, asked: Sequence[str], mode: str, trees: Sequence[Json | None]
) -> list[float]:
    """Milliseconds of each query, sorted."""
    taken = []
    for number, q in enumerate(asked):
        began = time.perf_counter()
        await search(data, project, q, mode, trees[number % len(trees)])
        if number >= _WARM_UP:
            taken.append((time.perf_counter() - began) * 1000)
    return sorted(taken)
