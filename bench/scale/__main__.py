"""Search, lists and creation at 1,000,000 passages in 200 projects.

python -m bench.scale [--small] [--data DIR] [--queries 100]
"""

from __future__ import annotations

import argparse
import asyncio
import sys
from pathlib import Path

from bench.results import report
from bench.scale.data import open_data
from bench.scale.disk import disk
from bench.scale.exact import recall
from bench.scale.lists import lists
from bench.scale.search import search_times
from bench.scale.sizes import FULL, SMALL
from bench.scale.verify import verify


async def run(options: argparse.Namespace) -> bool:
    async with open_data(SMALL if options.small else FULL, options.data) as data:
        results = [await verify(data), await disk(data)]
        results += await search_times(data, options.queries)
        results += await recall(data, max(1, options.queries // 4))
        results += await lists(data)
    report("scale", results)
    return all(each.met for each in results)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--small", action="store_true", help="20,000 passages instead of 1,000,000")
    parser.add_argument("--data", type=Path, help="a directory that keeps the data for the next run")
    parser.add_argument("--queries", type=int, default=100)
    sys.exit(0 if asyncio.run(run(parser.parse_args())) else 1)


if __name__ == "__main__":
    main()
