"""Calls that may be repeated, because nothing is done by them that was not done before: questions, not deeds."""

from __future__ import annotations

import asyncio
import itertools
import random
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from datetime import UTC
from email.utils import parsedate_to_datetime
from typing import Final, Protocol

from partywall.core.clock import unix_time
from partywall.core.outgoing.circuits import Circuit
from partywall.core.tenant import current_tenant

# 529 is what Anthropic answers when it has too much to do.
RETRIED: Final = frozenset({408, 409, 425, 429, 500, 502, 503, 504, 529})
FIRST_SECONDS: Final = 0.5
LONGEST_SECONDS: Final = 20.0
_LONGEST_DATE: Final = 100  # in characters, for the header is the other server's


class Answer(Protocol):
    """Of httpx2 as of httpx2."""

    @property
    def status_code(self) -> int: ...

    @property
    def headers(self) -> Mapping[str, str]: ...

    async def aclose(self) -> None: ...


@dataclass(frozen=True, slots=True)
class Faults:
    """Exceptions of an HTTP library: those of a call that failed, and among them those after which it is repeated, and
    those after which nothing was sent."""

    all: tuple[type[Exception], ...]
    repeated: tuple[type[Exception], ...]
    unreached: tuple[type[Exception], ...]


@dataclass(frozen=True, slots=True)
class Retries:
    """Up to `most` further attempts, with pauses that double and vary, or as long as the server says."""

    most: int
    first: float = FIRST_SECONDS
    longest: float = LONGEST_SECONDS

    def after_failure(self, attempt: int) -> float | None:
        """Seconds until the next attempt after this one, from 1 on; None after the last."""
        if attempt > self.most:
            return None
        return min(self.longest, self.first * 2.0 ** (attempt - 1)) * random.uniform(0.5, 1)  # noqa: S311 - spreads load  # nosec B311

    def after_answer(self, attempt: int, answer: Answer) -> float | None:
        """None for what is to be taken as it is, also where the server asks for more patience than there is."""
        if answer.status_code not in RETRIED or answer.headers.get("x-should-retry") == "false":
            return None
        wait = self.after_failure(attempt)
        asked = seconds_asked(answer.headers.get("retry-after"))
        if wait is None or asked is None:
            return wait
        return max(wait, asked) if asked <= self.longest else None


def seconds_asked(retry_after: str | None) -> float | None:
    """What `Retry-After` says, as seconds or as a date; None where it says nothing that can be read."""
    if retry_after is None:
        return None
    if retry_after.isascii() and retry_after.isdigit():
        return float(retry_after[:9])
    try:
        at = parsedate_to_datetime(retry_after[:_LONGEST_DATE])
        return max(0.0, (at if at.tzinfo else at.replace(tzinfo=UTC)).timestamp() - unix_time())
    except (ValueError, TypeError, OverflowError):
        return None


async def ask[A: Answer](send: Callable[[], Awaitable[A]], circuit: Circuit, retries: Retries, faults: Faults) -> A:
    """The last answer, or the last attempt's exception; CircuitOpenError as soon as the server is left alone."""
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
    raise AssertionError  # the count has no end
