"""The attack: makes and checks every attempt, and compares FOREIGN with its original state."""

from __future__ import annotations

from collections import Counter
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Final, Protocol

from pydantic import JsonValue
from starlette.types import Receive, Scope, Send

from partywall.testing.isolation.attack_plan import AttackPlan, Attempt, Key
from partywall.testing.isolation.attack_run import AttackRun
from partywall.testing.isolation.checks import Leak, excerpt
from partywall.testing.isolation.client import Client
from partywall.testing.isolation.discovery import CannotExerciseError, Learner, Recipe
from partywall.testing.isolation.stolen_values import gather
from partywall.testing.isolation.surface import Operation, read_surface, vocabulary
from partywall.testing.isolation.values import forbidden_texts
from partywall.testing.isolation.world import World

# The number of attempts between two comparisons of FOREIGN.
BATCH: Final = 400
# The number of leaks reported for one operation; more would repeat the same.
MOST_TOLD: Final = 25

type Only = Callable[[Operation], bool]
type Progress = Callable[[Operation, int], None]


@dataclass(slots=True)
class Report:
    """`attempts` counts distinct ones; `unexercised` gives the reason for each route without attempts.

    `exercised` are the operations that succeeded for a well-formed request of HOME, `recipes` how, `covered` every
    tested (operation, position, caller).
    """

    attempts: int = 0
    leaks: list[Leak] = field(default_factory=list)
    unexercised: list[str] = field(default_factory=list)
    exercised: set[str] = field(default_factory=set)
    recipes: list[Recipe] = field(default_factory=list)
    covered: set[tuple[str, str, str]] = field(default_factory=set)
    statuses: Counter[int] = field(default_factory=Counter)
    callers: Counter[str] = field(default_factory=Counter)

    def __str__(self) -> str:
        lines = [f"{self.attempts} distinct attempts, {len(self.leaks)} leaks"]
        lines += [f"not exercised: {each}" for each in self.unexercised]
        return "\n".join([*lines, *(str(each) for each in self.leaks)])


class AttackedApp(Protocol):
    """An ASGI application that describes itself."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None: ...

    def openapi(self) -> dict[str, JsonValue]: ...


async def attack(
    app: AttackedApp,
    world: World,
    *,
    full: bool = False,
    only: Only | None = None,
    progress: Progress | None = None,
) -> Report:
    """Attacks the operations of `app` that `only` selects; `full` makes so many attempts that
    callers together try everything, otherwise a fixed sample of each position and caller.

    Restores both realms at the end, so that a world can be attacked again.
    """
    async with _restored(world):
        return await _attack(app, world, full=full, only=only, progress=progress)


async def _attack(
    app: AttackedApp, world: World, *, full: bool, only: Only | None, progress: Progress | None
) -> Report:
    client, report = Client(app), Report()
    operations = read_surface(app.openapi())
    chosen = [each for each in operations if only is None or only(each)]
    learner = Learner(client, world, operations)
    recipes = report.recipes = await _recipes(learner, chosen, report)
    stolen_values = await gather(client, learner, world, operations)
    attack_plan = AttackPlan(recipes, world.callers, stolen_values)
    secrets = forbidden_texts(await world.superuser.leaves(world.foreign.belongings)) - forbidden_texts(
        await world.superuser.leaves(world.attackers)
    )
    attack_run = await AttackRun.begin(client, learner, world, secrets, vocabulary(app.openapi()))
    seen: set[Key] = set()
    for recipe in recipes:
        attempts = list(attack_plan.many(recipe) if full else attack_plan.some(recipe))
        seen.update(each.key for each in attempts)
        await _run_attack(attack_run, attempts, report)
        if progress is not None:
            progress(recipe.operation, len(seen))
    report.unexercised += await _damaged(client, learner, world, recipes)
    report.attempts = len(seen)
    report.statuses = attack_run.statuses
    return report


async def _recipes(learner: Learner, operations: Sequence[Operation], report: Report) -> list[Recipe]:
    """Reads first, so that data written to HOME is not mistaken for a leak."""
    recipes = []
    for operation in sorted(operations, key=lambda each: not each.reads):
        try:
            recipes.append(await learner.recipe(operation))
            report.exercised.add(operation.id)
        except CannotExerciseError as error:
            report.unexercised.append(str(error))
    return recipes


async def _damaged(client: Client, learner: Learner, world: World, recipes: Sequence[Recipe]) -> list[str]:
    """What HOME's own users can no longer read: refusals after that would prove nothing."""
    found = []
    for recipe in recipes:
        for caller in world.callers if recipe.operation.reads else ():
            if caller.name in recipe.permitted:
                ids = await learner.ids_for(recipe, caller, fresh=False)
                answer = await client.send(await learner.call(recipe, ids), caller.token)
                if not answer.succeeded:
                    found.append(f"{recipe.operation} in the end, as {caller}: {excerpt(answer)}; HOME was spoilt")
    return found


async def _run_attack(attack_run: AttackRun, attempts: Sequence[Attempt], report: Report) -> None:
    told = 0
    for start in range(0, len(attempts), BATCH):
        batch = attempts[start : start + BATCH]
        leaks = await attack_run.batch(batch)
        report.leaks += leaks[: max(0, MOST_TOLD - told)]
        told += len(leaks)
    for each in attempts:
        report.covered.add((each.operation.id, str(each.position), each.caller.name))
        report.callers[each.caller.name] += 1


@asynccontextmanager
async def _restored(world: World) -> AsyncIterator[None]:
    """Restores both realms at the end."""
    superuser, realms = world.superuser, (world.home, world.foreign)
    known = [dict(each.known) for each in realms]
    projects = [row["id"] for row in await superuser.fetch("SELECT id FROM project")]
    kept = [(of, await superuser.rows(of)) for of in (world.attackers, world.foreign.belongings)]
    try:
        yield
    finally:
        await superuser.execute("DELETE FROM project WHERE id <> ALL ($1::uuid[])", projects)
        for of, rows in kept:
            await superuser.restore(of, rows)
        for realm, was in zip(realms, known, strict=True):
            realm.known = was


__all__ = ["Leak", "Operation", "Report", "attack"]
