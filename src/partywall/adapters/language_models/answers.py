"""What a model's server sends, event by event: refused where it is no answer, and bounded."""

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

# Of everything that one answer says, and of the bytes that it comes in, with all that goes around each word.
MOST_CHARACTERS: Final = 1_000_000
MOST_BYTES: Final = 256 * 1024 * 1024
MOST_EVENT_BYTES: Final = 8 * 1024 * 1024

# What holds the words of a model, in either API.
_SPOKEN: Final = ("choices", "delta", "content_block")
_SURROGATES: Final = re.compile("[\ud800-\udfff]")


class _Form(BaseModel):
    """As much of an event's form as must be right for its reader; both APIs have other fields, which may be new."""

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
    """`choices` are OpenAI's, the rest Anthropic's. A usage that cannot be read is no fault of the answer's."""

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
    """Comments are left out. Raises ModelInvalidError for what is too long, or is no event stream at all."""
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
        refuse("it is no stream of events")


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
    """One answer as it comes, of either API that is spoken. `complete` once the model has said that it has ended."""

    complete: bool = False
    _said: int = 0
    _words: int = 0
    _tally: UsageTally = field(default_factory=UsageTally)
    _told: Fields = field(default_factory=dict)

    def take(self, event: ServerEvent) -> ServerEvent:
        """The event as it is passed on: without lone surrogates, and with what the whole answer has used by now.

        Raises ModelInvalidError for what is no answer, and for more than an answer may hold.
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
        """Whether the chunk is another now: what it tells of usage, it tells for all of the answer so far."""
        cleaned = without_unreadable(chunk)
        message = chunk.get("message")
        holder = message if anthropic and isinstance(message, dict) else chunk
        usage = usage_in(holder)
        if usage is None:
            return cleaned
        bound(usage)
        self._told = merged_messages(self._told, usage) if anthropic else self._tally.take(usage, self._words)
        holder["usage"] = self._told
        return True


def refuse(why: str) -> NoReturn:
    raise ModelInvalidError(why)


def _parsed(data: bytes) -> tuple[Fields, bool]:
    """And whether it had to be cleaned."""
    chunk, cleaned = _json(data)
    if not isinstance(chunk, dict):
        refuse("one of its events is no object")
    return chunk, cleaned


def _json(data: bytes) -> tuple[JsonValue, bool]:
    try:
        return orjson.loads(data), False
    except orjson.JSONDecodeError:
        pass
    try:
        cleaned: JsonValue = orjson.loads(_SURROGATES.sub("\ufffd", json.dumps(json.loads(data), ensure_ascii=False)))
    except (ValueError, RecursionError):
        refuse("one of its events is no JSON")
    return cleaned, True


def _form_of(chunk: Fields) -> _Chunk:
    try:
        return _Chunk.model_validate(chunk)
    except ValidationError as error:
        refuse(f"{'.'.join(map(str, error.errors()[0]['loc'][:5]))} is not what it should be")


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
