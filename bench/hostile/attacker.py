"""A process that runs one attack and prints the counted answers as one line of JSON.

Arguments: NAME PORT NETWORK SECONDS.
"""

from __future__ import annotations

import gc
import json
import resource
import sys
import time

import uvloop

from bench.hostile.attacks import ATTACKS
from bench.hostile.hostile import Hostile, NotSetUpError

GRACE_SECONDS = 3.0


async def attack(hostile: Hostile) -> dict[str, object]:
    """Returns the result; `error` is None if the preparation succeeded."""
    error = None
    try:
        await ATTACKS[hostile.name].run(hostile)
    except NotSetUpError as failure:
        error = str(failure)
    used = resource.getrusage(resource.RUSAGE_SELF)
    return {"counts": hostile.counts, "error": error, "cpu": used.ru_utime + used.ru_stime, "began": hostile.started}


def main() -> None:
    name, port, network, seconds = sys.argv[1:]
    gc.disable()  # the process lives for seconds
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    hostile = Hostile(int(port), network, float(seconds), name, started=time.monotonic())
    print(json.dumps(uvloop.run(attack(hostile))), flush=True)


if __name__ == "__main__":
    main()
