"""Parses and validates the events of a model's streamed answer, with limits on their size."""

from __future__ import annotations

import json
import re
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from typing import Final, NamedTuple, NoReturn

import orjson
from pydantic import BaseModel, ConfigDict, JsonValue, ValidationError

from partywall.adapters.language_models.usage import UsageTally, merged_messages, words_in
from partywall.adapters.language_models.usage_forms import Fields, bound, usage_in, without_unreadable
from partywall.core.model_failures import ModelInvalidError

# Text of one answer, and its bytes on the wire, which include the JSON around each token.
MOST_CHARACTERS: Final = 1_000_000
MOST_BYTES: Final = 256 * 1024 * 1024
MOST_EVENT_BYTES: Final = 8 * 1024 * 1024

# Fields that hold a model's text, in either API.
_SPOKEN: Final = ("choices", "delta", "content_block")
_SURROGATES: Final = re.compile("[\ud800-\udfff]")


class _Form(BaseModel):
    """The fields of an event that its reader depends on; both APIs may send others."""

    model_config = ConfigDict(strict=True)


class _Function(_Form):
    name: str | None = None
    arguments: str | Fields | None = None


class _ToolCall(_Form):
    index: int | None = None
    id: str | None = None
    function: _Function | None = None


class _Delta(_Form):
    content: str | list[Fields] | None = None
    refusal: str | None = None
    tool_calls: list[_ToolCall] | None = None


class _Choice(_Form):
    delta: _Delta | None = None
    finish_reason: str | None = None


class _Chunk(_Form):
    """`choices` is OpenAI's field, the others are Anthropic's. Usage is not validated: an answer may lack it."""

    type: str | None = None
    choices: list[_Choice] | None = None
    delta: Fields | None = None
    content_block: Fields | None = None
    message: Fields | None = None


class ServerEvent(NamedTuple):
    name: bytes
    data: bytes

    def encoded(self) -> bytes:
        named = b"event: " + self.name + b"\n" if self.name else b""
        return named + b"".join(b"data: " + line + b"\n" for line in self.data.split(b"\n")) + b"\n"


async def events_of(chunks: AsyncIterator[bytes]) -> AsyncIterator[ServerEvent]:
    """Server-sent events without comments. Raises ModelInvalidError if they are too long or not an event stream."""
    name, data, found, received, held = b"", list[bytes](), False, 0, 0
    async for line in _lines(chunks):
        received += len(line) + 1
        if received > MOST_BYTES or held > MOST_EVENT_BYTES:
            refuse("it is too long")
        field, _, value = line.partition(b":")
        if field == b"event":
            name = value.strip()
        elif field == b"data":
            data.append(value.removeprefix(b" "))
            held += len(line)
        elif not line and data:
            found = True
            yield ServerEvent(name, b"\n".join(data))
            name, data, held = b"", [], 0
    if data:
        yield ServerEvent(name, b"\n".join(data))
    elif received and not found:
        refuse("it is not an event stream")


async def _lines(chunks: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    held = bytearray()
    async for chunk in chunks:
        first, *others = chunk.split(b"\n")
        held += first
        for other in others:
            yield bytes(held.removesuffix(b"\r"))
            held = bytearray(other)
        if len(held) > MOST_EVENT_BYTES:
            refuse("it is too long")
    if held:
        yield bytes(held.removesuffix(b"\r"))


@dataclass(slots=True)
class Answer:
    """One streamed answer of either API. `complete` is true once the model has marked its end."""

    complete: bool = False
    _said: int = 0
    _words: int = 0
    _tally: UsageTally = field(default_factory=UsageTally)
    _usage: Fields = field(default_factory=dict)

    def take(self, event: ServerEvent) -> ServerEvent:
        """The event to pass on: without lone surrogates, and with the usage of the whole answer so far.

        Raises ModelInvalidError for an invalid event, and for an answer that is too long.
        """
        if event.data.startswith(b"[DONE]"):
            self.complete = True
            return event
        chunk, cleaned = _parsed(event.data)
        form = _form_of(chunk)
        self._said += _characters([chunk.get(name) for name in _SPOKEN])
        if self._said > MOST_CHARACTERS:
            refuse(f"it holds more than {MOST_CHARACTERS:,} characters")
        ended = any(choice.finish_reason for choice in form.choices or ())
        self.complete = self.complete or ended or form.type == "message_stop"
        self._words += words_in(chunk)
        counted = self._count(chunk, form.message is not None or form.type == "message_delta")
        return ServerEvent(event.name, orjson.dumps(chunk)) if cleaned or counted else event

    def _count(self, chunk: Fields, anthropic: bool) -> bool:
        """Replaces the chunk's usage by the total of the answer so far. Returns whether the chunk was changed."""
        cleaned = without_unreadable(chunk)
        message = chunk.get("message")
        holder = message if anthropic and isinstance(message, dict) else chunk
        usage = usage_in(holder)
        if usage is None:
            return cleaned
        bound(usage)
        self._usage = merged_messages(self._usage, usage) if anthropic else self._tally.take(usage, self._words)
        holder["usage"] = self._usage
        return True


def refuse(why: str) -> NoReturn:
    raise ModelInvalidError(why)


def _parsed(data: bytes) -> tuple[Fields, bool]:
    """The chunk, and whether it had to be cleaned."""
    chunk, cleaned = _json(data)
    if not isinstance(chunk, dict):
        refuse("one of its events is not an object")
    return chunk, cleaned


def _json(data: bytes) -> tuple[JsonValue, bool]:
    try:
        return orjson.loads(data), False
    except orjson.JSONDecodeError:
        pass
    try:
        cleaned: JsonValue = orjson.loads(_SURROGATES.sub("\ufffd", json.dumps(json.loads(data), ensure_ascii=False)))
    except (ValueError, RecursionError):
        refuse("one of its events is not JSON")
    return cleaned, True


def _form_of(chunk: Fields) -> _Chunk:
    try:
        return _Chunk.model_validate(chunk)
    except ValidationError as error:
        refuse(f"{'.'.join(map(str, error.errors()[0]['loc'][:5]))} is not valid")


def _characters(value: JsonValue) -> int:
    count, left = 0, [value]
    while left:
        match left.pop():
            case str() as text:
                count += len(text)
            case list() as several:
                left += several
            case dict() as fields:
                left += fields.values()
            case _:
                pass
    return count
