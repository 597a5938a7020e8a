"""Every attempt there is to make: operation x position x caller x foreign value."""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from tests.isolation.callers import Caller, Standing
from tests.isolation.discovery import Recipe
from tests.isolation.overrides import POWERS
from tests.isolation.surface import Operation, Place, Position
from tests.isolation.values import Kind, Value, fitting, spellings_at

type Choice = tuple[Value, str]
type Key = tuple[str, str, str, str, str, str]

# Of a value that the position is not made for, these spellings are enough.
_FEW: Final = ("plain", "walk", "sql or", "json", "list")
# How many attempts the full form makes of one position, caller and shape, and how many of them in one spelling.
IN_PATHS: Final = (40, 8)
ELSEWHERE: Final = (12, 4)
# How often the quick form takes what is likeliest to be a way in.
_LIKELY: Final = 0.7
# So many callers try what an operation does not declare: no code of the operation's own looks at it.
_CALLERS: Final = 4
_SEED: Final = 20261121


class Shape(StrEnum):
    THERE = "in FOREIGN"  # every id of the path is foreign
    HERE = "in HOME"  # every id of the path is the caller's own, but for the position


@dataclass(frozen=True, slots=True)
class Attempt:
    recipe: Recipe
    position: Position
    caller: Caller
    shape: Shape
    value: Value
    spelling: str

    @property
    def operation(self) -> Operation:
        return self.recipe.operation

    @property
    def key(self) -> Key:
        """What makes it distinct."""
        return (self.operation.id, str(self.position), self.caller.name, self.shape, self.value.name, self.spelling)

    @property
    def form(self) -> Key:
        """The same for all that differ in nothing but which foreign value of a kind and length it is."""
        form = f"{self.value.kind} of {len(self.value.text)}"
        return (self.operation.id, str(self.position), self.caller.name, self.shape, form, self.spelling)

    def __str__(self) -> str:
        return f"{self.operation}, {self.position}, as {self.caller}, {self.shape}: {self.value.name} ({self.spelling})"


@dataclass(frozen=True, slots=True)
class AttackPlan:
    """Which attempts there are to make."""

    recipes: Sequence[Recipe]
    callers: Sequence[Caller]
    values: Sequence[Value]

    def many(self, recipe: Recipe) -> Iterator[Attempt]:
        """For each position, caller and shape a share of all values and spellings, those that are likeliest first.

        Each caller gets another share, so that together they try everything.
        """
        for position in recipe.operation.positions:
            choices = self._choices(recipe.operation, position)
            for caller, shape in self._parties(recipe):
                rng = random.Random(f"{_SEED} {recipe.operation.id} {position} {caller} {shape}")
                fair = [each for each in choices if _is_fair(recipe.operation, position, caller, shape, each[0])]
                yield from (Attempt(recipe, position, caller, shape, *each) for each in _share(position, fair, rng))

    def some(self, recipe: Recipe) -> Iterator[Attempt]:
        """One attempt for each declared position and caller, chosen by a fixed seed; of callers at the others, a few.

        Where a credential is asked for before anything is read, those without one take turns at the positions.
        Beside them, every value that a declared position is made for is tried at home, by one who belongs there and,
        where no credential is asked for, by one who has none.
        """
        scouts = [each for each in self.callers if each.name in recipe.permitted][:1]
        if not recipe.operation.gated:
            scouts += [each for each in self.callers if each.token is None]
        callers = list({caller.name: caller for caller, _ in self._parties(recipe)}.values())
        declared = [position for position in recipe.operation.positions if position.declared]
        for position in recipe.operation.positions:
            choices = self._choices(recipe.operation, position)
            if position.declared:
                chosen = _in_turn(callers, recipe.operation, declared.index(position))
            else:
                chosen = _few(callers, recipe.operation, position)
            for caller in chosen:
                yield from self._one(recipe, position, caller, choices)
            for scout in scouts if position.declared else ():
                yield from (
                    Attempt(recipe, position, scout, Shape.HERE, value, spelling)
                    for value, spelling in _likeliest(position, choices)
                    if _is_fair(recipe.operation, position, scout, Shape.HERE, value)
                )

    def _one(self, recipe: Recipe, position: Position, caller: Caller, choices: Sequence[Choice]) -> Iterator[Attempt]:
        rng = random.Random(f"{_SEED} {recipe.operation.id} {position} {caller}")
        shape = rng.choice([shape for each, shape in self._parties(recipe) if each is caller])
        wanted = _likeliest(position, choices) if rng.random() < _LIKELY else []
        for some in (wanted, choices):
            drawn = (rng.choice(some) for _ in range(2 * len(some)))
            fair = next((each for each in drawn if _is_fair(recipe.operation, position, caller, shape, each[0])), None)
            if fair is not None:
                yield Attempt(recipe, position, caller, shape, *fair)
                return

    def _parties(self, recipe: Recipe) -> list[tuple[Caller, Shape]]:
        shapes = (Shape.THERE, Shape.HERE) if recipe.operation.in_project else (Shape.HERE,)
        readers = [caller for caller in self.callers if caller.standing is Standing.READER]
        found = [(caller, shape) for caller in self.callers if caller not in readers for shape in shapes]
        # Who may read FOREIGN is there for what only others may do.
        if recipe.operation.in_project and "viewer of the other project" not in recipe.permitted:
            found += [(caller, Shape.THERE) for caller in readers]
        return found

    def _choices(self, operation: Operation, position: Position) -> list[Choice]:
        kinds = fitting(position)
        spellings = spellings_at(position)
        found: list[Choice] = []
        seen: set[Kind] = set()
        for value in self.values:
            if value.kind in kinds:
                found += [(value, spelling) for spelling in spellings]
            elif value.kind not in seen:
                seen.add(value.kind)
                found += [(value, spelling) for spelling in _FEW if spelling in spellings]
        return found


def _likeliest(position: Position, choices: Sequence[Choice]) -> list[Choice]:
    """What the position is made for, as it is."""
    return [each for each in choices if each[1] == "plain" and each[0].kind is fitting(position)[0]]


def _share(position: Position, choices: Sequence[Choice], rng: random.Random) -> list[Choice]:
    """Some values in each of some spellings: what differs in nothing but the value is compared with the same twin."""
    size, values = IN_PATHS if position.place is Place.PATH else ELSEWHERE
    forms: dict[tuple[Kind, str], list[Choice]] = {}
    for each in choices:
        forms.setdefault((each[0].kind, each[1]), []).append(each)
    order = rng.sample(list(forms), len(forms))
    order.sort(key=lambda form: form != (fitting(position)[0], "plain"))
    found: list[Choice] = []
    for form in order:
        found += rng.sample(forms[form], min(values, len(forms[form]), size - len(found)))
    return found


def _in_turn(callers: Sequence[Caller], operation: Operation, number: int) -> Sequence[Caller]:
    """At the first declared position all of them; at each other one without a credential, and everybody with one."""
    nobodies = [caller for caller in callers if caller.standing is Standing.NOBODY]
    if number == 0 or not operation.gated:
        return callers
    return [each for each in callers if each not in nobodies] + [nobodies[number % len(nobodies)]]


def _few(callers: Sequence[Caller], operation: Operation, position: Position) -> Sequence[Caller]:
    return random.Random(f"{_SEED} {operation.id} {position}").sample(callers, min(_CALLERS, len(callers)))


def _is_fair(operation: Operation, position: Position, caller: Caller, shape: Shape, value: Value) -> bool:
    """Neither the caller's own account nor a secret where it is asked for, which opens its door to whoever has it."""
    name = position.name.lstrip("/")
    power = ((str(operation), name, True) in POWERS and shape is Shape.THERE) or (str(operation), name, False) in POWERS
    return not (value.live and power) and value.text != str(caller.account)
