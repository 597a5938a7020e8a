"""A small `make bench-hostile`: the worst attacks next to an honest client, which must be served. Nothing is timed."""

from __future__ import annotations

import itertools
import time
from collections.abc import AsyncIterator

import pytest

from bench.hostile.attacks import ATTACKS
from bench.hostile.testbed import Bench, open_bench

pytestmark = pytest.mark.e2e

SECONDS = 1.0
REFUSED = {"400", "401", "403", "404", "408", "413", "414", "422", "429", "431", "closed"}
SERVED = {"200", "201", "202"}
# The attack ended before the answer came, which may happen to any kind.
ENDED = {"no answer"}
# The answers that each kind may get.
KINDS = {
    "braces-anonymous": REFUSED,
    "unknown-keys": REFUSED,
    "endless-header": REFUSED | {"closed after"},
    "idle-700": REFUSED | {"held", "no connection"},
    "path-secrets": REFUSED,
    "login-honest-many": REFUSED | {"no connection"},
    "search-repeated": REFUSED | {"503"},
    "html-keyed": REFUSED | SERVED | {"503"},
    "reindex": REFUSED | SERVED,
    "runs-hanging": REFUSED | SERVED | {"6 projects"},
    "heading-blanks-large": REFUSED | SERVED,
    "extract-classes": REFUSED | {"503"},
}
# A request of these may take longer than the attack.
SLOW = {"login-honest-many", "html-keyed", "reindex", "heading-blanks-large"}
# Alone, each of these is refused by a test of its limit; here they only repeat that the others are served meanwhile.
REPEATED = {"unknown-keys", "login-honest-many", "search-repeated", "html-keyed", "extract-classes"}
numbers = itertools.count(1)


@pytest.fixture(scope="module")
async def testbed() -> AsyncIterator[Bench]:
    async with open_bench(warm_up=2.0) as opened:
        yield opened


@pytest.mark.parametrize(
    "kind", [pytest.param(kind, marks=[pytest.mark.soak] if kind in REPEATED else []) for kind in KINDS]
)
async def test_no_honest_request_fails_during_an_attack(testbed: Bench, kind: str) -> None:
    made = await testbed.attack(next(numbers), ATTACKS[kind], SECONDS)
    assert made.error is None
    assert made.samples
    assert [sample for sample in made.samples if sample.wrong] == []
    assert made.counts
    assert set(made.counts) <= KINDS[kind] | ENDED, made.counts
    assert kind in SLOW or set(made.counts) - ENDED, made.counts
    assert made.restarts == 0


async def test_after_the_attack_all_honest_work_is_done(testbed: Bench) -> None:
    """What the honest client writes is indexed, its runs end, and its stream never broke."""
    now = time.monotonic()
    await testbed.caught_up(now)
    assert testbed.honest.awaited(now) == {}
    assert testbed.honest.streams_opened == 1
