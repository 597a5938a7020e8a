"""Makes attempts, compares them with their controls and finds the attempts that changed FOREIGN."""

from __future__ import annotations

import asyncio
import random
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Final

from pydantic import JsonValue

from partywall.testing.isolation.attack_plan import Attempt, Key, Shape
from partywall.testing.isolation.callers import Standing
from partywall.testing.isolation.checks import Leak, Likeness, content_fault, error_fault, excerpt, likeness
from partywall.testing.isolation.client import Answer, Call, Client
from partywall.testing.isolation.database import Fingerprint
from partywall.testing.isolation.discovery import Learner
from partywall.testing.isolation.values import SPELLINGS, Kind, Value, scrambled
from partywall.testing.isolation.world import World

AT_ONCE: Final = 6
CONTROLS: Final = 8
_SHOWN: Final = 300


@dataclass(frozen=True, slots=True)
class Sent:
    """A call, its answer and the values that it contained."""

    call: Call
    answer: Answer
    values: tuple[str, ...]


@dataclass(slots=True)
class AttackRun:
    client: Client
    learner: Learner
    world: World
    forbidden_texts: set[str]
    vocabulary: frozenset[str]
    before: Fingerprint
    rows: Mapping[str, Sequence[str]]
    home: Mapping[str, Sequence[str]]
    foreign_ids: dict[str, dict[str, str]] = field(default_factory=dict)
    controls: dict[Key, Likeness] = field(default_factory=dict)
    statuses: Counter[int] = field(default_factory=Counter)
    rng: random.Random = field(default_factory=lambda: random.Random(7))

    @classmethod
    async def begin(
        cls, client: Client, learner: Learner, world: World, forbidden_texts: frozenset[str], vocabulary: frozenset[str]
    ) -> AttackRun:
        of = world.foreign.belongings
        superuser = world.superuser
        before, rows = await superuser.fingerprint(of), await superuser.rows(of)
        home = await superuser.rows(world.attackers)
        return cls(client, learner, world, set(forbidden_texts), vocabulary, before, rows, home)

    async def batch(self, attempts: Sequence[Attempt]) -> list[Leak]:
        """Makes all attempts, several at a time, and returns the leaks."""
        found: list[Leak] = []
        to_confirm: list[Attempt] = []
        waiting = iter(attempts)

        async def work() -> None:
            for attempt in waiting:
                leak, suspicious = await self._make(attempt)
                if leak is not None:
                    found.append(leak)
                elif suspicious:
                    to_confirm.append(attempt)

        await asyncio.gather(*(work() for _ in range(AT_ONCE)))
        # Repeat every suspicious attempt alone, with a new control.
        found += [leak for attempt in to_confirm if (leak := await self._confirmed(attempt))]
        if changed := await self._changed():
            found.append(await self._culprit(attempts, changed))
        return found

    async def _make(self, attempt: Attempt) -> tuple[Leak | None, bool]:
        sent = await self._send(attempt, foreign=True)
        self.statuses[sent.answer.status] += 1
        if leak := self._fault(attempt, sent):
            return leak, False
        if attempt.caller.standing is Standing.READER:
            return None, False  # a member may see what exists
        return None, not await self._is_answered_alike(attempt, sent)

    def _likeness(self, sent: Sent) -> Likeness:
        return likeness(sent.answer, sent.values, self.vocabulary)

    def _fault(self, attempt: Attempt, sent: Sent) -> Leak | None:
        said = _all_text(sent)
        reached = content_fault(sent.answer, self.forbidden_texts, said)
        fault = error_fault(attempt, sent.answer) or reached
        if sent.answer.succeeded and not attempt.operation.reads:
            # Values that were sent and stored in HOME no longer indicate a leak; guards are never sent.
            self.forbidden_texts -= {each for each in self.forbidden_texts if each in said}
        broken = reached is None and sent.answer.status >= HTTPStatus.INTERNAL_SERVER_ERROR
        return Leak(attempt, fault, _shown(sent), broken) if fault else None

    async def _is_answered_alike(self, attempt: Attempt, sent: Sent) -> bool:
        """Whether the same attempt with values that do not exist gets the same answer."""
        likeness_ = self._likeness(sent)
        key = self._common(attempt, sent) or attempt.form
        if key not in self.controls:
            self.controls[key] = self._likeness(await self._send(attempt, foreign=False))
        if self.controls[key] != likeness_ and key != attempt.form:
            self.controls[attempt.form] = self._likeness(await self._send(attempt, foreign=False))
            key = attempt.form
        return self.controls[key] == likeness_

    def _common(self, attempt: Attempt, sent: Sent) -> Key | None:
        """The key of a shared control, for refusals without a credential and for positions that are not read."""
        who = (attempt.operation.id, attempt.caller.name, attempt.shape)
        if attempt.caller.standing is Standing.NOBODY and sent.answer.status == 401:
            return (*who, "nobody", "", "")
        if not attempt.position.declared:
            return (*who, "not read", "", "")
        return None

    async def _confirmed(self, attempt: Attempt) -> Leak | None:
        """A difference counts only if it differs from several controls, because semantic search results vary."""
        # Rows that an earlier attempt left in HOME could cause a conflict.
        await self.world.superuser.restore(self.world.attackers, self.home)
        sent = await self._send(attempt, foreign=True)
        controls = [await self._send(attempt, foreign=False)]
        while self._likeness(controls[-1]) != self._likeness(sent):
            if len(controls) == CONTROLS:
                what = (
                    f"answered {excerpt(sent.answer)}\n    but for a nonexistent value: {excerpt(controls[0].answer)}"
                )
                return Leak(attempt, what, _shown(sent))
            controls.append(await self._send(attempt, foreign=False))
        return None

    async def _send(self, attempt: Attempt, *, foreign: bool) -> Sent:
        """`foreign`: with FOREIGN's values; otherwise with values of the same form that do not exist."""
        recipe, caller = attempt.recipe, attempt.caller
        reaches = attempt.shape is Shape.HERE and (caller.name in recipe.permitted or not recipe.operation.gated)
        own, ids = await self._ids(attempt, fresh=recipe.consuming and reaches, foreign=foreign)
        call = await self.learner.call(recipe, ids, own, spend=recipe.consuming and reaches)
        text = await self._text(attempt.value, foreign=foreign)
        mine = own.get(attempt.position.name, str(self.world.home.project))
        value: JsonValue = SPELLINGS[attempt.spelling](text, mine)
        call = call.with_value(attempt.position, value)
        answer = await self.client.send(call, caller.token)
        if answer.succeeded and attempt.operation.method == "POST":
            # Delete what was created in HOME, so that it does not affect later attempts.
            await self.learner.delete(attempt.operation, answer, ids)
        spelt = value if isinstance(value, str) else str(value)
        return Sent(call, answer, (spelt, text, *ids.values(), *_texts(call)))

    async def _text(self, value: Value, *, foreign: bool) -> str:
        if value.kind is Kind.TICKET:
            ticket = await self.world.ticket()
            value = Value(Kind.TICKET, value.name, ticket)
        return value.text if foreign else scrambled(value, self.rng)

    async def _ids(self, attempt: Attempt, *, fresh: bool, foreign: bool) -> tuple[dict[str, str], dict[str, str]]:
        """The caller's own ids, and the ids for the path."""
        recipe = attempt.recipe
        own = await self.learner.ids_for(recipe, attempt.caller, fresh=fresh)
        if attempt.shape is Shape.HERE:
            return own, own
        if recipe.operation.id not in self.foreign_ids:
            self.foreign_ids[recipe.operation.id] = await self.learner.ids(recipe.operation, self.world.foreign)
        theirs = self.foreign_ids[recipe.operation.id]
        if foreign:
            return own, theirs
        return own, {name: scrambled(_as_value(text), self.rng) for name, text in theirs.items()}

    async def _changed(self) -> list[str]:
        """The tables in which FOREIGN has changed."""
        now = await self.world.superuser.fingerprint(self.world.foreign.belongings)
        return [name for name, was in self.before.items() if now[name] != was]

    async def _restore(self) -> None:
        of = self.world.foreign.belongings
        await self.world.superuser.restore(of, self.rows)
        # What is outside the database cannot be restored; its present state becomes the baseline.
        self.before = await self.world.superuser.fingerprint(of)

    async def _culprit(self, attempts: Sequence[Attempt], changed: list[str]) -> Leak:
        """Bisects the batch, one attempt at a time, to find the attempt that changes FOREIGN."""
        candidates = list(attempts)
        what = f"changed FOREIGN's {', '.join(changed)}"
        await self._restore()
        while len(candidates) > 1:
            half = candidates[: len(candidates) // 2]
            for attempt in half:
                await self._send(attempt, foreign=True)
            repeated = await self._changed()
            await self._restore()
            candidates = half if repeated else candidates[len(half) :]
        sent = await self._send(candidates[0], foreign=True)
        repeated = await self._changed()
        await self._restore()
        if repeated:
            return Leak(candidates[0], f"{what}: answered {excerpt(sent.answer)}", _shown(sent))
        return Leak(None, f"{what}, and no attempt does so alone: one of {attempts[0]} to {attempts[-1]}")


def _as_value(text: str) -> Value:
    return Value(Kind.NUMBER if text.isdigit() else Kind.ID, "", text)


def _texts(call: Call) -> tuple[str, ...]:
    """Other parts of the call that an answer may repeat."""
    return (call.upload.name,) if call.upload is not None else ()


def _all_text(sent: Sent) -> str:
    """Everything that was sent, in lower case."""
    body, _ = sent.call.encoded()
    path, query = sent.call.url()
    headers = "\n".join(sent.call.headers.values())
    return "\n".join((*sent.values, path, query, headers, body.decode("utf-8", "replace"))).lower()


def _shown(sent: Sent) -> str:
    path, query = sent.call.url()
    url = f"{path}?{query}" if query else path
    body, _ = sent.call.encoded()
    headers = " ".join(f"{name}: {value!r}" for name, value in sent.call.headers.items())
    return f"{sent.call.operation.method} {url} {headers} {body.decode('utf-8', 'replace')[:_SHOWN]}".strip()
