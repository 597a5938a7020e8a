"""Retries for idempotent calls."""

from __future__ import annotations

import asyncio
import itertools
import math
from collections.abc import Awaitable, Callable, Mapping, MutableMapping
from dataclasses import dataclass
from typing import Final, Protocol

from partywall.core.backoff import grown, jittered
from partywall.core.clock import unix_time
from partywall.core.outgoing.circuits import Circuit
from partywall.core.tenant import current_tenant
from partywall.formats import waiting_time

# 529 is Anthropic's status for overload.
RETRIED: Final = frozenset({408, 409, 425, 429, 500, 502, 503, 504, 529})
FIRST_SECONDS: Final = 0.5
LONGEST_SECONDS: Final = 20.0


class Answer(Protocol):
    """The part of an HTTP library's response that is needed here."""

    @property
    def status_code(self) -> int: ...

    @property
    def headers(self) -> Mapping[str, str]: ...

    async def aclose(self) -> None: ...


@dataclass(frozen=True, slots=True)
class Faults:
    """Exceptions of an HTTP library for failed calls (`all`); among them, those to retry (`repeated`) and those where
    nothing was sent (`unreached`)."""

    all: tuple[type[Exception], ...]
    repeated: tuple[type[Exception], ...]
    unreached: tuple[type[Exception], ...]


@dataclass(frozen=True, slots=True)
class Retries:
    """Up to `most` retries, with doubling pauses and jitter, or the pause that the server asks for."""

    most: int
    first: float = FIRST_SECONDS
    longest: float = LONGEST_SECONDS

    def after_failure(self, attempt: int) -> float | None:
        """Seconds to wait after this attempt, counted from 1; None after the last."""
        if attempt > self.most:
            return None
        return jittered(grown(self.first, attempt, self.longest))

    def after_answer(self, attempt: int, answer: Answer) -> float | None:
        """Seconds until the retry. None if the answer is final, also when the server asks for a longer wait."""
        if answer.status_code not in RETRIED or answer.headers.get("x-should-retry") == "false":
            return None
        wait = self.after_failure(attempt)
        asked = seconds_asked(answer.headers)
        if wait is None or asked is None:
            return wait
        return max(wait, asked) if asked <= self.longest else None


def seconds_asked(headers: Mapping[str, str], body: bytes = b"") -> float | None:
    """How long the server asks clients to wait; None if it does not say."""
    return waiting_time.seconds_asked(headers, unix_time(), body)


def note_asked(headers: MutableMapping[str, str], body: bytes) -> None:
    """Writes the wait that an answer asks for, in whatever form, to its `Retry-After` header."""
    seconds = seconds_asked(headers, body)
    if seconds is not None:
        headers["retry-after"] = str(math.ceil(seconds))


async def ask[A: Answer](send: Callable[[], Awaitable[A]], circuit: Circuit, retries: Retries, faults: Faults) -> A:
    """Calls with retries. Returns the last answer or raises the last exception, or CircuitOpenError."""
    tenant = current_tenant().name
    for attempt in itertools.count(1):
        circuit.admit(tenant)
        try:
            answer = await send()
        except faults.all as error:
            if isinstance(error, faults.unreached):
                circuit.unreached()
            else:
                circuit.failed(tenant)
            wait = retries.after_failure(attempt) if isinstance(error, faults.repeated) else None
            if wait is None:
                raise
        else:
            (circuit.succeeded if answer.status_code < 500 else circuit.failed)(tenant)
            wait = retries.after_answer(attempt, answer)
            if wait is None:
                return answer
            await answer.aclose()
        await asyncio.sleep(wait)
    raise AssertionError  # unreachable
