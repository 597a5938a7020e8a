"""Runs the complete isolation suite on temporary engines. `make bench-attacks`."""

from __future__ import annotations

import asyncio
import json
import signal
import sys
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

from bench import machine
from bench.deployment import throwaway
from partywall.adapters.embedded import EmbeddedPostgres, EmbeddedValkey
from partywall.core.db.migrate import migrate
from partywall.settings import Settings
from partywall.testing.engines import FAST, DatabaseUrls
from partywall.testing.isolation.app import open_app, settings_for_attack
from partywall.testing.isolation.suite import Report, attack
from partywall.testing.isolation.surface import Operation
from partywall.testing.isolation.world import open_world

TARGET = 100_000


@asynccontextmanager
async def engines() -> AsyncIterator[tuple[Settings, DatabaseUrls]]:
    """Engines without fsync: durability is not under test."""
    with throwaway() as directory:
        data = directory / "data"
        async with EmbeddedPostgres(data, settings=FAST) as postgres, EmbeddedValkey(data) as valkey:
            await migrate(postgres.owner_url, postgres.runtime_url)
            urls = DatabaseUrls(postgres.runtime_url, postgres.owner_url, postgres.superuser_url)
            yield settings_for_attack(urls, valkey.url, data, agents=["tests.features.runs.assistant"]), urls


@dataclass(slots=True)
class Progress:
    started: float
    before: int = 0

    def __call__(self, operation: Operation, attempts: int) -> None:
        elapsed = time.perf_counter() - self.started
        print(f"{attempts:8,} {elapsed:6.0f} s {attempts - self.before:7,}  {operation}", flush=True)
        self.before = attempts


def _handle_signals() -> None:
    """Makes SIGTERM end the run like Ctrl-C, in place of the application's graceful shutdown."""
    signal.signal(signal.SIGTERM, lambda *_: signal.raise_signal(signal.SIGINT))


def print_report(report: Report, seconds: float) -> None:
    for title, counted in (("caller", report.callers), ("status", report.statuses)):
        print(f"\nby {title}")
        for name, count in counted.most_common():
            print(f"{count:8,}  {name}")
    print(f"\n{report}")
    rate = report.attempts / seconds
    print(f"{report.attempts:,} distinct attempts in {seconds:.0f} s, {rate:.0f} a second; target {TARGET:,}, 0 leaks")
    result = {"attempts": report.attempts, "leaks": len(report.leaks), "unexercised": report.unexercised}
    print(json.dumps({"bench": "attacks", **result, "seconds": round(seconds, 1), "machine": machine.facts()}))


async def main() -> int:
    async with engines() as (settings, urls), open_app(settings) as app, open_world(app, urls) as world:
        _handle_signals()
        started = time.perf_counter()
        report = await attack(app, world, full=True, progress=Progress(started))
        print_report(report, time.perf_counter() - started)
    return 1 if report.leaks or report.unexercised or report.attempts < TARGET else 0


if __name__ == "__main__":
    sys.exit(asyncio.run(main()))
