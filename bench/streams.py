"""Many event streams on one API process: memory per stream, latency of events, and exactly-once delivery in order
while connections are dropped and processes killed. `make bench-streams`.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import signal
import sys
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any
from uuid import UUID

import asyncpg
import uvloop

from bench import event_source, readers
from bench.breakdowns import Api, Breakdowns
from bench.deployment import Deployment, open_deployment
from bench.event_source import SharedProjects
from bench.indexing_load import indexing
from bench.memory import memory
from bench.processes import free_port, pin
from bench.readers import Ledger, NpmReader, Reader
from bench.results import Result, p95, report
from bench.run_ledger import NUMBER_EVENTS

API_CORE, OTHER_CORE = 0, 1
TARGET_KB, TARGET_MS, TARGET_BESIDE_MS = 60.0, 250.0, 100.0
RATE = 100.0
QUIET_SECONDS = 3.0
CONNECT_SECONDS, ARRIVAL_SECONDS = 120.0, 180.0


@dataclass(frozen=True, slots=True)
class Scale:
    """The size of a run. `seconds`: how long latency is measured; `indexed`: documents that a worker indexes meanwhile;
    `events`, `spread`: for the part with failures.
    """

    projects: int
    readers: int
    seconds: float
    indexed: int
    events: int
    spread: float
    drop_every: float
    break_every: float

    @property
    def deliveries(self) -> int:
        return self.projects * self.readers * self.events


FULL = Scale(
    projects=50, readers=20, seconds=60, indexed=5000, events=1000, spread=150, drop_every=0.05, break_every=17
)
SHORT = Scale(projects=50, readers=4, seconds=5, indexed=500, events=100, spread=15, drop_every=0.05, break_every=1)


@asynccontextmanager
async def following(shared: SharedProjects, api: Api, scale: Scale) -> AsyncIterator[tuple[list[Reader], Result]]:
    """Opens streams and measures the memory of each. Every reader of a project is another user with a membership.

    The first fifth is not measured: it loads what streams share, such as the log tailer of each project.
    """
    made = [Reader(api.port, project, token) for token in shared.tokens[: scale.readers] for project in shared.projects]
    first = len(made) // 5
    tasks: list[asyncio.Task[None]] = []
    async with asyncio.TaskGroup() as group:
        try:
            tasks += [group.create_task(each.run()) for each in made[:first]]
            before = await settled(made[:first], api)
            tasks += [group.create_task(each.run()) for each in made[first:]]
            after = await settled(made, api)
            yield made, memory_result(before, after, len(made) - first, len(made))
        finally:
            for task in tasks:
                task.cancel()


async def settled(opening: list[Reader], api: Api) -> float:
    """Resident MB of the API once all readers are connected."""
    async with asyncio.timeout(CONNECT_SECONDS):
        for each in opening:
            await each.open.wait()
    await asyncio.sleep(QUIET_SECONDS)
    return memory(api.pid)["rss"]


@dataclass(slots=True)
class Times:
    """Unix times of each document: requested, event written, received by the last reader."""

    sent: dict[str, float] = field(default_factory=dict)
    at: dict[str, str] = field(default_factory=dict)
    last: dict[str, float] = field(default_factory=dict)
    count: dict[str, int] = field(default_factory=dict)

    def seen(self, body: dict[str, Any]) -> None:
        if body["type"] != "document.created":
            return
        title = body["data"]["title"]
        self.last[title] = time.time()
        self.at[title] = body["at"]
        self.count[title] = self.count.get(title, 0) + 1

    @property
    def from_writing(self) -> list[float]:
        """Milliseconds since the event was written, before its commit."""
        return sorted((self.last[t] - datetime.fromisoformat(self.at[t]).timestamp()) * 1000 for t in self.sent)

    @property
    def from_request(self) -> list[float]:
        return sorted((self.last[title] - moment) * 1000 for title, moment in self.sent.items())

    def until(self, moment: float) -> Times:
        """Only the documents requested before `moment`."""
        return Times({title: at for title, at in self.sent.items() if at < moment}, self.at, self.last, self.count)


async def time_events(port: int, shared: SharedProjects, followers: list[Reader], scale: Scale) -> Times:
    times = Times()
    for each in followers:
        each.seen = times.seen
    await event_source.publish(port, shared, rate=RATE, seconds=scale.seconds, sent=times.sent)
    arrived = await until(lambda: all(times.count.get(title) == scale.readers for title in times.sent), ARRIVAL_SECONDS)
    assert arrived, "not every event reached every reader"
    for each in followers:
        each.seen = None
    return times


async def until(condition: Callable[[], bool], seconds: float) -> bool:
    """Polls less often than `partywall.testing.conditions.until`, because that takes time from what is measured."""
    try:
        async with asyncio.timeout(seconds):
            while not condition():  # noqa: ASYNC110 - polls the readers' counts
                await asyncio.sleep(0.1)
    except TimeoutError:
        return False
    return True


async def tables(deployment: Deployment, shared: SharedProjects) -> dict[str, Ledger]:
    """What every reader of a project must have received, according to the event table."""
    found: dict[str, Ledger] = {}
    connection = await asyncpg.connect(deployment.superuser_url.replace("+asyncpg", "", 1))
    try:
        await connection.execute(NUMBER_EVENTS)
        for project in shared.projects:
            rows = await connection.fetch(
                "SELECT id, type, subject_id FROM event WHERE project_id = $1 ORDER BY id", UUID(project)
            )
            ledger = found[project] = Ledger()
            for row in rows:
                ledger.enter(row["type"], row["id"], row["subject_id"])
    finally:
        await connection.close()
    return found


def exactness(name: str, ledgers: list[Ledger], expected: list[Ledger], unread: str = "") -> Result:
    lost = sum(each.lost + max(0, whole.last - each.last) for each, whole in zip(ledgers, expected, strict=True))
    repeated = sum(each.repeated for each in ledgers)
    moved = sum(count for each in ledgers for kind, count in each.other.items() if kind != "reconnect")
    different = sum(each.digest != whole.digest for each, whole in zip(ledgers, expected, strict=True))
    hints = sum(each.other.get("reconnect", 0) for each in ledgers)
    measured = (
        f"{sum(each.received for each in ledgers):,} deliveries: {lost} lost, {repeated} repeated or out of order, "
        f"{moved} resets, {different} readers that differ from the table; {hints} reconnect hints{unread}"
    )
    return Result(name, measured, "0, 0, 0, 0", not (lost or repeated or moved or different or unread))


async def run(options: argparse.Namespace) -> bool:
    scale = SHORT if options.short else FULL
    pin(0, OTHER_CORE)
    async with open_deployment(OTHER_CORE) as deployment, running(Api(deployment, free_port(), API_CORE)) as api:
        shared = await event_source.create_projects(api.port, deployment, users=scale.readers, projects=scale.projects)
        async with following(shared, api, scale) as (followers, memory_taken):
            results = [memory_taken, events_result(await time_events(api.port, shared, followers, scale), scale)]
            results.append(await beside_indexing(api, deployment, shared, followers, scale))
            folder = await readers.npm_folder(options.eventsource, deployment.directory)
            results += await survive(api, deployment, shared, followers, scale, folder)
    report("streams", results)
    return all(each.met is not False for each in results)


@asynccontextmanager
async def running(api: Api) -> AsyncIterator[Api]:
    await api.start()
    try:
        yield api
    finally:
        await api.end(signal.SIGTERM)


def memory_result(before: float, after: float, added: int, streams: int) -> Result:
    each = (after - before) * 1024 / added
    measured = f"{each:.1f} KB each, {streams} open; {before:.0f} -> {after:.0f} MB for the last {added}"
    return Result("memory of an open stream", measured, f"{TARGET_KB:.0f} KB", each <= TARGET_KB)


async def beside_indexing(
    api: Api, deployment: Deployment, shared: SharedProjects, followers: list[Reader], scale: Scale
) -> Result:
    """Times events while a worker indexes documents of another project."""
    async with indexing(api.port, deployment, shared.tokens[0], scale.indexed, OTHER_CORE) as work:
        times = await time_events(api.port, shared, followers, scale)
    found = events_result(times.until(work.ended), scale, TARGET_BESIDE_MS)
    found.name = f"the same while {scale.indexed:,} documents are indexed"
    return found


def events_result(times: Times, scale: Scale, target: float = TARGET_MS) -> Result:
    written, asked = times.from_writing, times.from_request
    measured = (
        f"p95 {p95(written):.0f} ms, p50 {written[len(written) // 2]:.0f}, longest {written[-1]:.0f}; {len(written)} "
        f"events; from the request p95 {p95(asked):.0f}, p50 {asked[len(asked) // 2]:.0f}"
    )
    name = f"event to the last of {scale.readers} readers, {RATE:.0f} a second"
    return Result(name, measured, f"p95 {target:.0f} ms", p95(written) <= target)


async def survive(
    api: Api, deployment: Deployment, shared: SharedProjects, followers: list[Reader], scale: Scale, folder: Path | str
) -> list[Result]:
    """Writes events while causing failures, then compares every reader with the table."""
    breakdowns = Breakdowns(api, deployment, followers, scale.drop_every, scale.break_every)
    npm = NpmReader()
    async with asyncio.TaskGroup() as group:
        listening = group.create_task(_listen(npm, folder, api.port, shared))
        breaking = group.create_task(breakdowns.run())
        await event_source.write(deployment, shared, each=scale.events, seconds=scale.spread)
        breakdowns.stopping.set()
        await breaking
        whole = await tables(deployment, shared)
        expected = [whole[each.project] for each in followers]
        first = whole[shared.projects[0]]
        done = await until(
            lambda: (
                all(each.ledger.last >= goal.last for each, goal in zip(followers, expected, strict=True))
                and (npm.ledger.last >= first.last or listening.done())
            ),
            ARRIVAL_SECONDS,
        )
        listening.cancel()
    print(
        f"broken: {breakdowns.drops} connections, {breakdowns.terminated} API restarts, {breakdowns.killed} API kills, "
        f"{breakdowns.valkey_killed} Valkey kills; {sum(each.connections for each in followers)} connections made, "
        f"{sum(each.refused for each in followers)} refused"
    )
    late = "" if done else "; not all arrived"
    found = [exactness("exactly once, in order", [each.ledger for each in followers], expected, late)]
    if isinstance(folder, Path):
        found.append(
            exactness("the same with npm eventsource", [npm.ledger], [first], npm.closed and f"; {npm.closed}")
        )
    else:
        found.append(Result("the same with npm eventsource", f"skipped: {folder}", "0, 0, 0, 0", None))
    return found


async def _listen(npm: NpmReader, folder: Path | str, port: int, shared: SharedProjects) -> None:
    if isinstance(folder, Path):
        await npm.run(folder, port, shared.projects[0], shared.tokens[-1])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--short", action="store_true", help="200 streams and 20,000 deliveries, in a minute")
    parser.add_argument("--eventsource", type=Path, help="folder where npm has installed eventsource")
    options = parser.parse_args()
    if (os.cpu_count() or 1) < 2:
        sys.exit("two cores are needed: one for the server, one for everything else")
    sys.exit(0 if uvloop.run(run(options)) else 1)


if __name__ == "__main__":
    main()
