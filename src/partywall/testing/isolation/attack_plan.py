"""All possible attempts: operation x position x caller x foreign value."""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from partywall.testing.isolation.callers import Caller, Standing
from partywall.testing.isolation.discovery import Recipe
from partywall.testing.isolation.overrides import POWERS
from partywall.testing.isolation.surface import Operation, Place, Position
from partywall.testing.isolation.values import Kind, Value, fitting, spellings_at

type Choice = tuple[Value, str]
type Key = tuple[str, str, str, str, str, str]

# The spellings for values of a kind that the position does not expect.
_FEW: Final = ("plain", "walk", "sql or", "json", "list")
# The full plan's attempts for each position, caller and shape, and how many of them use the same spelling.
IN_PATHS: Final = (40, 8)
ELSEWHERE: Final = (12, 4)
# The probability that the quick plan takes one of the most promising values.
_LIKELY: Final = 0.7
# How many callers try undeclared positions, which no code of the operation reads.
_CALLERS: Final = 2
_SEED: Final = 20261121


class Shape(StrEnum):
    THERE = "in FOREIGN"  # every id of the path is foreign
    HERE = "in HOME"  # every id of the path is the caller's own, except at the position


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
        """Identifies the attempt."""
        return (self.operation.id, str(self.position), self.caller.name, self.shape, self.value.name, self.spelling)

    @property
    def form(self) -> Key:
        """The key without the foreign value itself: equal for values of the same kind and length."""
        form = f"{self.value.kind} of {len(self.value.text)}"
        return (self.operation.id, str(self.position), self.caller.name, self.shape, form, self.spelling)

    def __str__(self) -> str:
        return f"{self.operation}, {self.position}, as {self.caller}, {self.shape}: {self.value.name} ({self.spelling})"


@dataclass(frozen=True, slots=True)
class AttackPlan:
    """Selects the attempts."""

    recipes: Sequence[Recipe]
    callers: Sequence[Caller]
    values: Sequence[Value]

    def many(self, recipe: Recipe) -> Iterator[Attempt]:
        """A sample of all values and spellings for each position, caller and shape, the most promising first.

        Each caller gets a different sample, so that together they try everything.
        """
        for position in recipe.operation.positions:
            choices = self._choices(recipe.operation, position)
            for caller, shape in self._parties(recipe):
                rng = random.Random(f"{_SEED} {recipe.operation.id} {position} {caller} {shape}")
                valid = [each for each in choices if _is_valid(recipe.operation, position, caller, shape, each[0])]
                yield from (Attempt(recipe, position, caller, shape, *each) for each in _share(position, valid, rng))

    def some(self, recipe: Recipe) -> Iterator[Attempt]:
        """One attempt for each declared position and caller, with a fixed seed; undeclared positions get a few callers.

        Where authentication comes first, callers take turns: those without a credential at all positions, the others at
        those outside of the path. In addition, a
        permitted caller tries every value of the expected kind in HOME at each declared position; on open operations an
        anonymous caller does so too.
        """
        probers = [each for each in self.callers if each.name in recipe.permitted][:1]
        if not recipe.operation.gated:
            probers += [each for each in self.callers if each.token is None]
        callers = list({caller.name: caller for caller, _ in self._parties(recipe)}.values())
        declared = [position for position in recipe.operation.positions if position.declared]
        for position in recipe.operation.positions:
            choices = self._choices(recipe.operation, position)
            if position.declared:
                chosen = _in_turn(callers, recipe.operation, position, declared.index(position))
            else:
                chosen = _few(callers, recipe.operation, position)
            for caller in chosen:
                yield from self._one(recipe, position, caller, choices)
            for prober in probers if position.declared else ():
                yield from (
                    Attempt(recipe, position, prober, Shape.HERE, value, spelling)
                    for value, spelling in _likeliest(position, choices)
                    if _is_valid(recipe.operation, position, prober, Shape.HERE, value)
                )

    def _one(self, recipe: Recipe, position: Position, caller: Caller, choices: Sequence[Choice]) -> Iterator[Attempt]:
        rng = random.Random(f"{_SEED} {recipe.operation.id} {position} {caller}")
        shape = rng.choice([shape for each, shape in self._parties(recipe) if each is caller])
        wanted = _likeliest(position, choices) if rng.random() < _LIKELY else []
        for some in (wanted, choices):
            drawn = (rng.choice(some) for _ in range(2 * len(some)))
            pick = next((each for each in drawn if _is_valid(recipe.operation, position, caller, shape, each[0])), None)
            if pick is not None:
                yield Attempt(recipe, position, caller, shape, *pick)
                return

    def _parties(self, recipe: Recipe) -> list[tuple[Caller, Shape]]:
        shapes = (Shape.THERE, Shape.HERE) if recipe.operation.in_project else (Shape.HERE,)
        readers = [caller for caller in self.callers if caller.standing is Standing.READER]
        found = [(caller, shape) for caller in self.callers if caller not in readers for shape in shapes]
        # Callers that may read FOREIGN try only operations that they have no right to.
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
    """Plain values of the kind that the position expects."""
    return [each for each in choices if each[1] == "plain" and each[0].kind is fitting(position)[0]]


def _share(position: Position, choices: Sequence[Choice], rng: random.Random) -> list[Choice]:
    """A few values in each of a few spellings; attempts that differ only in the value share a control."""
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


def _in_turn(callers: Sequence[Caller], operation: Operation, position: Position, number: int) -> Sequence[Caller]:
    """All callers at the first declared position; at the others one without a credential, and of those with one all in
    the path and every second elsewhere."""
    if number == 0 or not operation.gated:
        return callers
    anonymous = [caller for caller in callers if caller.standing is Standing.NOBODY]
    known = [caller for caller in callers if caller not in anonymous]
    if position.place is not Place.PATH:
        known = known[number % 2 :: 2]
    return [*known, anonymous[number % len(anonymous)]]


def _few(callers: Sequence[Caller], operation: Operation, position: Position) -> Sequence[Caller]:
    return random.Random(f"{_SEED} {operation.id} {position}").sample(callers, min(_CALLERS, len(callers)))


def _is_valid(operation: Operation, position: Position, caller: Caller, shape: Shape, value: Value) -> bool:
    """Excludes the caller's own account, and secrets at positions where they grant access to anyone who holds them."""
    name = position.name.lstrip("/")
    power = ((str(operation), name, True) in POWERS and shape is Shape.THERE) or (str(operation), name, False) in POWERS
    return not (value.live and power) and value.text != str(caller.account)
