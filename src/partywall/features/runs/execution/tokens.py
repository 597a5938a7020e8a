"""Streams a model's text: the first delta at once, later ones in batches of some tens of milliseconds."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterable, AsyncIterator, Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from itertools import groupby
from typing import Final, Literal, NamedTuple

from pydantic_ai.messages import (
    AgentStreamEvent,
    FinalResultEvent,
    PartDeltaEvent,
    PartStartEvent,
    TextPart,
    TextPartDelta,
    ToolCallPart,
    ToolCallPartDelta,
)

from partywall.core.model_failures import ModelInvalidError

# Of the text of one event, so that a stream can send several events at once.
MOST_CHARACTERS: Final = 4_000
# What Pydantic AI and the providers' SDKs raise for an answer in an unexpected format.
_GARBLED: Final = (AttributeError, TypeError, LookupError, ValueError, AssertionError, ArithmeticError, RecursionError)


class TokenDelta(NamedTuple):
    """A piece of `text`, or of the JSON of the run's `output`."""

    part: Literal["text", "output"]
    text: str


@dataclass(slots=True)
class ResponseParser:
    """Extracts the deltas of one response: its text, and the output, which arrives as a tool's arguments."""

    _last: ToolCallPart | None = None
    _index: int | None = None
    _output: int | None = None

    def of(self, event: AgentStreamEvent) -> TokenDelta | None:
        match event:
            case PartStartEvent(part=TextPart(content=text)):
                return TokenDelta("text", text)
            case PartDeltaEvent(delta=TextPartDelta(content_delta=text)):
                return TokenDelta("text", text)
            case PartStartEvent(index=index, part=ToolCallPart() as part):
                self._last, self._index = part, index
            case FinalResultEvent(tool_name=str()) if self._last is not None:
                self._output = self._index
                return TokenDelta("output", _json(self._last.args))
            case PartDeltaEvent(index=index, delta=ToolCallPartDelta(args_delta=args)) if index == self._output:
                return TokenDelta("output", _json(args))
        return None


def _json(arguments: str | dict[str, object] | None) -> str:
    if arguments is None:
        return ""
    return arguments if isinstance(arguments, str) else json.dumps(arguments)


@dataclass(slots=True)
class TokenWriter:
    """Writes the deltas of one response in batches. Calls of `write` never overlap."""

    write: Callable[[Sequence[TokenDelta]], Awaitable[None]]
    interval: float
    _deltas: list[TokenDelta] = field(default_factory=list)
    _wake: asyncio.Event = field(default_factory=asyncio.Event)
    _ended: asyncio.Event = field(default_factory=asyncio.Event)

    async def flush_stream(self, stream: AsyncIterable[AgentStreamEvent]) -> list[TokenDelta]:
        """Runs until the stream ends. Returns the last deltas, not written yet. Raises what `write` raises."""
        try:
            async with asyncio.TaskGroup() as group:
                group.create_task(self._write_all())
                await self._gather_all(stream)
        except ExceptionGroup as errors:
            raise errors.exceptions[0] from errors
        return cut(joined(self._deltas))

    async def _gather_all(self, stream: AsyncIterable[AgentStreamEvent]) -> None:
        parser = ResponseParser()
        async for event in parsed_events(stream):
            token_delta = parser.of(event)
            if token_delta is not None and token_delta.text:
                self._deltas.append(token_delta)
                self._wake.set()
        self._ended.set()
        self._wake.set()

    async def _write_all(self) -> None:
        while not self._ended.is_set():
            await self._wake.wait()
            self._wake.clear()
            if self._deltas and not self._ended.is_set():
                deltas, self._deltas = self._deltas, []
                await self.write(cut(joined(deltas)))
                await self._pause()

    async def _pause(self) -> None:
        try:
            async with asyncio.timeout(self.interval):
                await self._ended.wait()
        except TimeoutError:
            pass
        self._wake.set()


def joined(deltas: Sequence[TokenDelta]) -> list[TokenDelta]:
    """Merges neighbouring deltas of the same part."""
    grouped = groupby(deltas, key=lambda token_delta: token_delta.part)
    return [TokenDelta(part, "".join(token_delta.text for token_delta in group)) for part, group in grouped]


def cut(deltas: Sequence[TokenDelta]) -> list[TokenDelta]:
    """Splits deltas that are longer than `MOST_CHARACTERS`; keeps their order."""
    return [
        TokenDelta(part, text[at : at + MOST_CHARACTERS])
        for part, text in deltas
        for at in range(0, len(text), MOST_CHARACTERS)
    ]


async def parsed_events(stream: AsyncIterable[AgentStreamEvent]) -> AsyncIterator[AgentStreamEvent]:
    """Raises ModelInvalidError if the answer cannot be parsed."""
    try:
        async for event in stream:
            yield event
    except _GARBLED as error:
        raise ModelInvalidError("its format is unknown") from error
