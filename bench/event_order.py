"""Checks the order of events while writers pause and roll back, sequencers are killed, and readers reconnect.
`make bench-events`.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import random
import re
import sys
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import timedelta
from itertools import accumulate
from typing import Final
from uuid import UUID

import asyncpg
import uvloop

from bench.deployment import Deployment, open_deployment
from bench.results import Result, report
from partywall.core.clock import unix_time
from partywall.core.db import engine as engines
from partywall.core.db.scoped_access import ScopedReader
from partywall.core.db.scopes import open_shared_scope
from partywall.core.db.session import AsyncSession, Sessions, before_commit
from partywall.core.events.log import EventDraft, publish
from partywall.core.events.notifier import EventNotifier
from partywall.core.events.sequencer import EventSequencer
from partywall.core.events.subscription import StreamOptions
from partywall.core.resources import Resources
from partywall.core.tenancy import Principal, ProjectScope
from partywall.resources import open_resources
from partywall.settings import Settings

STATEMENT_MS: Final = 30_000
SIZES: Final = (1, 1, 2, 4, 12)
ROLLED_BACK, PAUSED = 0.1, 0.3
READERS_OF_EACH: Final = 3
# Sequencers that are killed; the one of the resources is not.
PROCESSES: Final = 3
_EVENT: Final = re.compile(rb'^id: (\d+)\n.*"subject" : \{"kind" : "document", "id" : "([^"]+)"', re.DOTALL)


class RolledBackError(Exception):
    """A writer rolls back on purpose."""


@dataclass(slots=True)
class History:
    """The transactions committed to one project, as name and size, in the observed order."""

    project: UUID
    committed: list[tuple[str, int]] = field(default_factory=list)
    # By name: how many transactions were committed before this one began.
    before: dict[str, int] = field(default_factory=dict)


@dataclass(slots=True)
class Process:
    """A sequencer and its notifier. Both are killed at random with all pending work, like a process."""

    resources: Resources
    chance: random.Random
    sequencer: EventSequencer = field(init=False)
    kills: int = 0

    def __post_init__(self) -> None:
        self._begin()

    def _begin(self) -> EventNotifier:
        notifier = EventNotifier(self.resources.cache)
        self.sequencer = EventSequencer(self.resources.reads, notifier)
        return notifier

    async def run(self) -> None:
        while True:
            notifier = self._begin()
            with suppress(TimeoutError):
                async with asyncio.timeout(self.chance.uniform(0.01, 1)), asyncio.TaskGroup() as group:
                    group.create_task(self.sequencer.run())
                    group.create_task(notifier.run())
            self.kills += 1


@dataclass(slots=True)
class Writer:
    """Writes into random projects until `left` is used up."""

    name: str
    sessions: Sessions
    histories: Sequence[History]
    chance: random.Random

    async def run(self, left: list[int]) -> None:
        number = 0
        while left[0] > 0:
            size = min(left[0], self.chance.choice(SIZES))
            left[0] -= size
            number += 1
            if not await self._write(f"{self.name}-{number}", size):
                left[0] += size

    async def _write(self, name: str, size: int) -> bool:
        history = self.chance.choice(self.histories)
        history.before[name] = len(history.committed)
        with suppress(RolledBackError):
            async with self.sessions.begin() as session:
                scope = await open_shared_scope(session, Principal.service(history.project), history.project)
                names = (f"{name}.{part}" for part in range(size))
                publish(session, scope, *(EventDraft("document.updated", "document", each) for each in names))
                await self._pause()
                before_commit(session, self._hesitate)
            history.committed.append((name, size))
            return True
        return False

    async def _hesitate(self, _: AsyncSession) -> None:
        """Pauses or rolls back between the event and the commit."""
        await self._pause()
        if self.chance.random() < ROLLED_BACK:
            raise RolledBackError

    async def _pause(self) -> None:
        if self.chance.random() < PAUSED:
            await asyncio.sleep(self.chance.random() * 0.02)


@dataclass(slots=True)
class Follower:
    """Follows a project's stream, disconnects at random and resumes after the last event seen."""

    resources: Resources
    project: UUID
    chance: random.Random
    seen: list[tuple[int, str]] = field(default_factory=list)
    last: int = 0
    streams: int = 0

    async def run(self) -> None:
        while True:
            with suppress(TimeoutError):
                async with asyncio.timeout(self.chance.uniform(0.02, 0.5)):
                    await self._follow()

    async def _follow(self) -> None:
        reader = ScopedReader(self.resources.reads, Principal.service(self.project))
        options = StreamOptions(_anyone, unix_time() + 3600, timedelta(seconds=5))
        subscription = await self.resources.tailers.follow(reader, self.project, options, self.last)
        self.streams += 1
        try:
            while (frames := await subscription.frames()) is not None:
                for frame in frames:
                    self._take(frame)
        finally:
            subscription.close()

    def _take(self, frame: bytes) -> None:
        found = _EVENT.match(frame)
        number = int(frame.partition(b"\n")[0].removeprefix(b"id: "))
        self.seen.append((number, "" if found is None else found[2].decode()))
        self.last = number


def _anyone(_: ProjectScope) -> None: ...


@dataclass(slots=True)
class Faults:
    """All of them must be 0."""

    missing: int = 0
    repeated: int = 0
    torn: int = 0
    gaps: int = 0
    before_its_cause: int = 0
    seen_otherwise: int = 0

    @property
    def count(self) -> int:
        return sum(getattr(self, name) for name in self.__slots__)

    def judge(self, history: History, table: Sequence[tuple[int, str]], followers: Sequence[Follower]) -> None:
        """Counts the faults by comparing with the final table; events without a name are not from this test."""
        numbers = {subject: number for number, subject in table if subject}
        expected = {f"{name}.{part}" for name, size in history.committed for part in range(size)}
        self.gaps += sum(number != place for place, (number, _) in enumerate(table, 1))
        self.missing += len(expected - numbers.keys())
        self.repeated += sum(bool(subject) for _, subject in table) - len(expected)
        firsts = [numbers.get(f"{name}.0", 0) for name, _ in history.committed]
        latest = [0, *accumulate(firsts, max)]
        for (name, size), first in zip(history.committed, firsts, strict=True):
            self.torn += [numbers.get(f"{name}.{part}") for part in range(size)] != [*range(first, first + size)]
            self.before_its_cause += first <= latest[history.before[name]]
        self.seen_otherwise += sum(each.seen != table for each in followers)


async def stress(
    resources: Resources, dsn: str, projects: Sequence[UUID], *, writers: int, events: int, seed: int
) -> tuple[list[History], list[Follower]]:
    """Writes `events`, with a connection per writer; returns when every follower has seen the last event."""
    histories = [History(project) for project in projects]
    followers = [
        Follower(resources, each, random.Random(seed + n)) for each in projects for n in range(READERS_OF_EACH)
    ]
    options = engines.server_settings("partywall-bench", STATEMENT_MS)
    engine = engines.create_engine(dsn, pool_size=writers, overflow=0, settings=options)
    processes = [Process(resources, random.Random(seed * n)) for n in range(1, PROCESSES + 1)]
    chance = random.Random(seed)

    def announce(scope: ProjectScope, written: int) -> None:
        chance.choice(processes).sequencer.announce(scope, written)

    left, sessions = [events], Sessions(engine, announce=announce)
    made = [Writer(f"w{n}", sessions, histories, random.Random(seed - n)) for n in range(writers)]
    async with asyncio.TaskGroup() as group:
        going = [group.create_task(each.run()) for each in followers]
        going += [group.create_task(each.run()) for each in processes]
        async with asyncio.TaskGroup() as writing:
            for writer in made:
                writing.create_task(writer.run(left))
        for each in followers:
            while each.last < await _last(resources, each.project):  # noqa: ASYNC110 - polls the table
                await asyncio.sleep(0.05)
        for task in going:
            task.cancel()
    await engine.dispose()
    return histories, followers


async def _last(resources: Resources, project: UUID) -> int:
    sql = "SELECT last FROM wall.catch_up_events($1, 1000)"
    found = await resources.reads.fetchval(sql, project)
    assert isinstance(found, int)
    return found


async def table_of(connection: asyncpg.Connection[asyncpg.Record], project: UUID) -> list[tuple[int, str]]:
    """The project's events, as number and name; events that are not from this test have no name."""
    sql = "SELECT id, CASE WHEN subject_kind = 'document' THEN subject_id ELSE '' END AS name FROM event"
    rows = await connection.fetch(f"{sql} WHERE project_id = $1 ORDER BY id", project)
    return [(row["id"], row["name"]) for row in rows]


async def _projects(connection: asyncpg.Connection[asyncpg.Record], count: int) -> list[UUID]:
    account = await connection.fetchval("INSERT INTO account (email) VALUES ('bench@example.com') RETURNING id")
    await connection.execute("SELECT set_config('partywall.principal', $1, false)", f"user:{account}")
    return [await connection.fetchval("SELECT wall.found_project('A project', NULL)") for _ in range(count)]


async def measure(deployment: Deployment, scale: argparse.Namespace) -> bool:
    os.environ.update(deployment.environment)
    connection = await asyncpg.connect(deployment.superuser_url.replace("+asyncpg", "", 1))
    projects = await _projects(connection, scale.projects)
    async with open_resources(Settings(), application="partywall-bench") as resources:
        started = asyncio.get_running_loop().time()
        histories, followers = await stress(
            resources, deployment.environment["DATABASE__URL"], projects,
            writers=scale.writers, events=scale.events, seed=scale.seed,
        )  # fmt: skip
        took = asyncio.get_running_loop().time() - started
    faults = Faults()
    for history in histories:
        table = await table_of(connection, history.project)
        faults.judge(history, table, [each for each in followers if each.project == history.project])
    await connection.close()
    transactions = sum(len(history.committed) for history in histories)
    streams, seen = sum(each.streams for each in followers), sum(len(each.seen) for each in followers)
    measured = f"{faults} in {transactions:,} transactions, {seen:,} deliveries over {streams:,} streams, {took:.0f} s"
    report("event_order", [Result(f"{scale.events:,} events", measured, "0 faults", not faults.count)])
    return not faults.count


async def run(scale: argparse.Namespace) -> bool:
    async with open_deployment(0) as deployment:
        return await measure(deployment, scale)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--writers", type=int, default=32)
    parser.add_argument("--projects", type=int, default=4)
    parser.add_argument("--events", type=int, default=200_000)
    parser.add_argument("--seed", type=int, default=1)
    sys.exit(0 if uvloop.run(run(parser.parse_args())) else 1)


if __name__ == "__main__":
    main()
