"""Lists, single documents and creation: at the end of a list as at its beginning, in a large project as in a small."""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable
from statistics import median
from typing import Final
from uuid import UUID

from bench.results import Result
from bench.scale.data import Data
from bench.scale.fill import document_id

PAGE: Final = 20
LAST_PAGE: Final = 10_000
_WALKED_AT_ONCE: Final = 100
_TIMES: Final = 200
_SMALL: Final = 1_000

type Call = Callable[[int], Awaitable[None]]


async def lists(data: Data) -> list[Result]:
    large, small = data.projects[data.largest][0], data.projects[_SMALL][0]
    pages = min(LAST_PAGE, data.largest // PAGE)
    cursor = await _cursor(data, large, (pages - 1) * PAGE)
    first, last = _listing(data, large), _listing(data, large, cursor)
    results = [await _compared(f"list, page {pages:,} and page 1", last, first, 1.2)]
    results += [
        await _compared(f"{name}, {data.largest:,} and {_SMALL:,} documents", of(data, large), of(data, small), 1.3)
        for name, of in (("list", _listing), ("get", _getting), ("create", _creating))
    ]
    return results


async def _compared(name: str, one: Call, other: Call, most: float) -> Result:
    """The ratio of the medians, measured in turns."""
    taken: tuple[list[float], list[float]] = ([], [])
    for number in range(-20, _TIMES):
        for call, times in zip((one, other), taken, strict=True):
            began = time.perf_counter()
            await call(abs(number))
            times.append(time.perf_counter() - began)
    slow, quick = (median(times[20:]) * 1000 for times in taken)
    shown = f"{slow:.1f} and {quick:.1f} ms: {slow / quick:.2f}"
    print(name, shown, flush=True)
    return Result(name, shown, f"{most}", slow / quick <= most)


def _path(project: UUID) -> str:
    return f"/api/v1/projects/{project}/documents"


async def _cursor(data: Data, project: UUID, after: int) -> str:
    """Of the page after so many documents: a cursor does not depend on the size of the pages before."""
    cursor: str | None = None
    left = after
    while left > 0:
        params = {"limit": str(min(left, _WALKED_AT_ONCE))} | ({} if cursor is None else {"cursor": cursor})
        answer = (await data.server.client.get(_path(project), params=params)).json()
        cursor, left = answer["next_cursor"], left - len(answer["items"])
    return str(cursor)


def _listing(data: Data, project: UUID, cursor: str | None = None) -> Call:
    params = {"limit": str(PAGE)} | ({} if cursor is None else {"cursor": cursor})

    async def call(_: int) -> None:
        answer = await data.server.client.get(_path(project), params=params)
        assert len(answer.json()["items"]) == PAGE, answer.text

    return call


def _getting(data: Data, project: UUID) -> Call:
    size = next(size for size, projects in data.projects.items() if project in projects)

    async def call(number: int) -> None:
        id_ = document_id(data.places[project], number * 7919 % size)
        answer = await data.server.client.get(f"{_path(project)}/{id_}")
        assert answer.json()["id"] == str(id_), answer.text

    return call


def _creating(data: Data, project: UUID) -> Call:
    async def call(number: int) -> None:
        body = {"title": f"Created {number}", "content": "Something to be found. " * 20}
        answer = await data.server.client.post(_path(project), json=body)
        assert answer.status_code == 201, answer.text

    return call
