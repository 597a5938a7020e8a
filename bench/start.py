"""Time from `make serve` on an existing data directory to the first healthy answer. `make bench-start`."""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from statistics import median

from bench import machine
from bench.deployment import throwaway
from bench.processes import free_port
from partywall.supervisor.network import status_of

TARGET_SECONDS = 2.0
FIRST_START_SECONDS = 120.0
POLL_SECONDS = 0.005
HEALTHY = 200


async def start(data_dir: Path) -> dict[str, float]:
    """Seconds until healthy and until ready; then stops the server as Ctrl-C does."""
    port = free_port()
    started = time.perf_counter()
    process = subprocess.Popen(  # noqa: ASYNC220 - nothing else runs meanwhile
        ["make", "--no-print-directory", "serve", f"PORT={port}", f"DATA_DIR={data_dir}"],
        cwd=Path(__file__).parents[1],
        stdout=subprocess.DEVNULL,
        start_new_session=True,
    )
    found = {}
    try:
        async with asyncio.timeout(FIRST_START_SECONDS):
            for path in ("/healthz", "/readyz"):
                while await status_of("127.0.0.1", port, path) != HEALTHY:
                    assert process.poll() is None, "make serve ended"
                    await asyncio.sleep(POLL_SECONDS)
                found[path] = time.perf_counter() - started
    finally:
        os.killpg(process.pid, signal.SIGINT)
        await asyncio.to_thread(process.wait)
    return found


async def measure(times: int, data_dir: Path) -> dict[str, list[float]]:
    first = await start(data_dir)
    print(f"first start: {first['/healthz']:.2f} s to healthy, database cluster and schema included")
    runs = [await start(data_dir) for _ in range(times)]
    return {path: [run[path] for run in runs] for path in first}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--times", type=int, default=5)
    options = parser.parse_args()
    with throwaway() as directory:
        found = asyncio.run(measure(options.times, directory / "data"))
    healthy, ready = (median(found[path]) for path in ("/healthz", "/readyz"))
    met = healthy <= TARGET_SECONDS
    print(f"later starts: {healthy:.2f} s to healthy (target {TARGET_SECONDS:.0f} s), {ready:.2f} s to ready")
    rounded = {path.strip("/"): [round(seconds, 2) for seconds in runs] for path, runs in found.items()}
    print(json.dumps({"benchmark": "start", "machine": machine.facts(), "seconds": rounded, "met": met}))
    sys.exit(0 if met else 1)


if __name__ == "__main__":
    main()
