"""Speed of two workers on the job queue, a project's delay behind another's backlog, and the cost of an idle worker.

`make bench-queue`. The handlers do nothing or sleep; the workers are separate processes.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Final
from uuid import UUID

import asyncpg
import uvloop
from redis.asyncio import Redis

from bench import machine
from bench.deployment import Deployment, open_deployment
from bench.processes import start
from partywall.core.cache_keys import JOBS
from partywall.core.ids import new_id
from partywall.core.jobs.context import JobContext
from partywall.core.jobs.kinds import JobKind, handles
from partywall.core.jobs.payloads import ProjectJobPayload
from partywall.core.jobs.runner import JobRunner
from partywall.core.tenancy import Principal
from partywall.resources import open_resources
from partywall.settings import Settings
from partywall.testing.engines import DatabaseUrls

DUE, PROJECTS, WORKERS, SLOTS = 20_000, 200, 2, 50
LONGEST, SETTLING = 120.0, 40.0
RATE, WAIT, IDLE_CPU, IDLE_TRANSACTIONS = 2_000, 1.0, 0.5, 2.0
_TICKS: Final = os.sysconf("SC_CLK_TCK")
# $1: the project with most jobs, $2: their number, $3: the other projects, $4: the number of their jobs together.
FILL: Final = """
    INSERT INTO job (kind, project_id, payload)
    SELECT 'bench', project,
        jsonb_build_object('project_id', project, 'principal', 'service:' || project, 'ms', $5::real)
    FROM (
        SELECT $1::uuid AS project FROM generate_series(1, $2)
        UNION ALL SELECT ($3::uuid[])[1 + n % cardinality($3::uuid[])] FROM generate_series(1, $4::integer) AS n
    ) AS given
"""


class Work(ProjectJobPayload):
    ms: float
    lone_since: float | None = None


BENCH: Final = JobKind("bench", Work)


async def work(_: JobContext, payload: Work) -> None:
    if payload.lone_since is not None:
        print(json.dumps({"waited": time.time() - payload.lone_since}), flush=True)
    if payload.ms:
        await asyncio.sleep(payload.ms / 1000)


async def run_worker() -> None:
    stop = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stop.set)
    async with open_resources(Settings(), application="partywall-bench", background=True) as resources:
        print(json.dumps({"ready": True}), flush=True)
        await JobRunner(resources, [handles(BENCH, work, concurrency=SLOTS)]).run(stop)


@asynccontextmanager
async def worker(deployment: Deployment, number: int) -> AsyncIterator[tuple[subprocess.Popen[bytes], Path]]:
    log = deployment.directory / f"worker-{number}.log"
    process = start([sys.executable, "-m", "bench.queue", "worker"], deployment.environment, None, log)
    try:
        async with asyncio.timeout(LONGEST):
            while '"ready"' not in log.read_text():  # noqa: ASYNC110 - another process writes it
                await asyncio.sleep(0.05)
        yield process, log
    finally:
        process.terminate()
        process.wait(10)


class Bench:
    def __init__(self, deployment: Deployment, connection: asyncpg.Connection, cache: Redis) -> None:
        self.deployment, self.connection, self.cache = deployment, connection, cache

    async def fill(self, one: UUID, most: int, others: list[UUID], rest: int, ms: float) -> None:
        await self.connection.execute(FILL, one, most, others, rest, ms)
        await self.cache.publish(JOBS, b"")

    async def drained(self) -> None:
        async with asyncio.timeout(LONGEST):
            while await self.connection.fetchval("SELECT EXISTS (SELECT FROM job)"):  # noqa: ASYNC110 - in other processes
                await asyncio.sleep(0.02)

    async def measure_draining(self) -> dict[str, float]:
        others = [new_id() for _ in range(PROJECTS)]
        began, before = time.perf_counter(), await self.cpu()
        await self.fill(others[0], 0, others, DUE, 0)
        filled = time.perf_counter()
        await self.drained()
        took, used = time.perf_counter() - filled, await self.cpu() - before
        return {
            "jobs": DUE, "fill_seconds": round(filled - began, 2), "seconds": round(took, 2),
            "jobs_per_second": round(DUE / took), "postgres_cpu_us_per_job": round(used / DUE * 1e6),
        }  # fmt: skip

    async def measure_fairness(self, ms: float) -> dict[str, float]:
        """One job of a new project, a second after the start on 19,000 jobs of one project and 1,000 of 199 others."""
        others = [new_id() for _ in range(PROJECTS - 1)]
        await self.fill(new_id(), 19 * DUE // 20, others, DUE // 20, ms)
        await asyncio.sleep(1)
        before = self.waited()
        left = await self.connection.fetchval("SELECT count(*) FROM job")
        lone = new_id()
        payload = Work(project_id=lone, principal=str(Principal.service(lone)), ms=0, lone_since=time.time())
        await self.connection.execute(
            "INSERT INTO job (kind, project_id, payload) VALUES ('bench', $1, $2)", lone, payload.model_dump_json()
        )
        await self.cache.publish(JOBS, b"")
        async with asyncio.timeout(LONGEST):
            while len(waited := self.waited()) == len(before):  # noqa: ASYNC110 - in other processes
                await asyncio.sleep(0.05)
        await self.connection.execute("DELETE FROM job WHERE state = 'waiting'")
        await self.drained()
        return {"handler_ms": ms, "left": left, "waited_seconds": round(sum(waited) - sum(before), 3)}

    def waited(self) -> list[float]:
        lines = [
            line for path in self.deployment.directory.glob("worker-*.log") for line in path.read_text().splitlines()
        ]
        return [json.loads(line)["waited"] for line in lines if line.startswith('{"waited"')]

    async def cpu(self) -> float:
        return cpu_of_tree(self.deployment.postgres_pid)

    async def measure_idle(self, seconds: float) -> dict[str, float]:
        """Measures a complete worker, with its loops and schedules."""
        log = self.deployment.directory / "idle.log"
        process = start([sys.executable, "-m", "partywall", "worker"], self.deployment.environment, None, log)
        try:
            await asyncio.sleep(SETTLING)
            before = cpu_of(process.pid), await self.statements(), time.perf_counter()
            await asyncio.sleep(seconds)
            after = cpu_of(process.pid), await self.statements(), time.perf_counter()
        finally:
            process.terminate()
            process.wait(20)
        took = after[2] - before[2]
        return {
            "seconds": round(took, 1), "cpu_percent": round(100 * (after[0] - before[0]) / took, 2),
            "transactions_per_second": round((after[1] - before[1]) / took, 2),
        }  # fmt: skip

    async def statements(self) -> int:
        """Returns the transactions so far; waits first until other connections have reported theirs."""
        await asyncio.sleep(2)
        found: int = await self.connection.fetchval(
            "SELECT xact_commit + xact_rollback FROM pg_stat_database WHERE datname = current_database()"
        )
        return found


def cpu_of(pid: int) -> float:
    """CPU-seconds used by the process."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / _TICKS


def cpu_of_tree(pid: int) -> float:
    """CPU-seconds used by the process and its direct children."""
    children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    return cpu_of(pid) + sum(cpu_of(int(child)) for child in children)


def missed(drains: list[dict[str, float]], waits: list[dict[str, float]], idle: dict[str, float]) -> list[str]:
    """The targets that were missed."""
    found = []
    if min(each["jobs_per_second"] for each in drains) < RATE:
        found.append("draining")
    if max(each["waited_seconds"] for each in waits) > WAIT:
        found.append("fairness")
    if idle and (idle["cpu_percent"] > IDLE_CPU or idle["transactions_per_second"] > IDLE_TRANSACTIONS):
        found.append("idle worker")
    return found


async def measure(idle_seconds: float) -> int:
    async with open_deployment(0) as deployment, AsyncExitStack() as stack:
        connection = await asyncpg.connect(DatabaseUrls.dsn(deployment.superuser_url))
        stack.push_async_callback(connection.close)
        cache = Redis.from_url(deployment.environment["CACHE__URL"])
        stack.push_async_callback(cache.aclose)
        bench = Bench(deployment, connection, cache)
        async with AsyncExitStack() as workers:
            for number in range(WORKERS):
                await workers.enter_async_context(worker(deployment, number))
            drains = [await bench.measure_draining() for _ in range(3)]
            waits = [await bench.measure_fairness(ms) for ms in (0.0, 20.0)]
        idle = await bench.measure_idle(idle_seconds) if idle_seconds else {}
    for drain in drains:
        print(f"drained {DUE} jobs at {drain['jobs_per_second']}/s")
    for wait in waits:
        print(f"one job behind {wait['left']} of {wait['handler_ms']} ms began after {wait['waited_seconds']} s")
    if idle:
        print(f"idle: {idle['cpu_percent']} % of a core, {idle['transactions_per_second']} transactions a second")
    failed = missed(drains, waits, idle)
    print(json.dumps({**machine.facts(), "drains": drains, "waits": waits, "idle": idle, "missed": failed}))
    return 1 if failed else 0


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("role", nargs="?", choices=["worker"])
    parser.add_argument("--idle-seconds", type=float, default=60.0)
    given = parser.parse_args()
    if given.role == "worker":
        uvloop.run(run_worker())
    else:
        sys.exit(uvloop.run(measure(given.idle_seconds)))


if __name__ == "__main__":
    main()
