"""Readers of the models' responses, and of the schemas that callers give to agents."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Final

from pydantic import ValidationError
from pydantic_core import PydanticCustomError

from partywall.adapters.language_models.answers import _SURROGATES, events_of
from partywall.adapters.language_models.usage_forms import _plain_name
from partywall.core.json_schema import formats
from partywall.core.json_schema.checker import Checker
from partywall.core.json_schema.exceptions import SchemaTooCostlyError
from partywall.core.json_schema.limits import _REFERENCE
from partywall.core.json_schema.pattern_sizes import UnsupportedPatternError, measured
from partywall.core.json_schema.patterns import MAX_CHARACTERS, MAX_COMPILED, Pattern
from partywall.core.model_failures import ModelInvalidError
from partywall.features.agents.builtin.citations import Text, marks, unmarked
from partywall.features.agents.builtin.schemas import Language
from partywall.features.agents.builtin.sentences import sentences
from partywall.features.agents.schemas import AgentName
from partywall.features.budgets.amounts import GivenAmount
from partywall.features.projects.schemas import Language as ProjectLanguage
from partywall.features.runs.execution.steps import clean
from tests.growth.reader import DOCUMENT, HEADERS, Reader, validating
from tests.growth.shapes import repeated

_CATALOGUE: Final = "features/agents/builtin/"
_JSON_SCHEMA: Final = "core/json_schema/"
_SENTENCES: Final = _CATALOGUE + "sentences.py:"
_ANSWER: Final = 1_000_000

_PROSE: Final = {
    "stops, blanks": repeated(". "),
    "signs": repeated("!"),
    "stops, quotes": repeated('."'),
    "a stop, brackets": repeated(")", start="."),
    "numbers": repeated("a. [1] "),
    "a number, blanks": repeated(" ", start="[1"),
    "numbers without an end": repeated("[1,"),
    "a number of many": repeated("1 , ", start="["),
    "colons": repeated("a:\n"),
    "items": repeated("1. "),
    "an item, blanks": repeated(" ", start="1."),
    "abbreviations": repeated("e. g."),
    "letters, stops": repeated("a.a.a."),
    "ordinals": repeated("1.1.1."),
    "a stop, blanks, a letter": repeated(" ", "b", "a."),
}


def _find(text: str) -> object:
    """A search's worst case: the text starts like the quote and ends differently."""
    held = Text(text)
    half = len(text) // 2
    return held.find(text[:half] + "x"), held.find("\n".join(text[half:].split()))


async def _events(text: str) -> None:
    async def chunks() -> AsyncIterator[bytes]:
        for at in range(0, len(text), 16):
            yield text[at : at + 16].encode("utf-8", "replace")

    async for _ in events_of(chunks()):
        pass


def _pattern(text: str) -> object:
    size = measured(text).size
    short = measured(text[:MAX_CHARACTERS])
    return short.size.compiled <= MAX_COMPILED and (size, Pattern(short))


def _multiple(text: str) -> object:
    return Checker({"type": "object", "properties": {"a": {"multipleOf": 0.1}}}).errors({"a": float("1" + text[:300])})


AGENTS: Final = (
    Reader(
        tuple(_SENTENCES + each for each in
              ("_PUNCTUATION", "_BLANKS", "_NUMBERS", "_STOP", "_WIDE_STOP", "_ELLIPSIS", "_ITEM", "_ABBREVIATED",
               "_MONTH", "_passages")),
        lambda text: list(sentences(text)),
        _ANSWER,
        _PROSE,
        seconds=3,
    ),
    Reader(
        (_CATALOGUE + "citations.py:_MARK",),
        lambda text: (unmarked(text), marks(text)),
        _ANSWER,
        _PROSE,
        seconds=8,
    ),
    Reader((_CATALOGUE + "citations.py:_WORD",), _find, DOCUMENT, {"words": repeated("a ")}, seconds=4),
    Reader(
        (_JSON_SCHEMA + "formats.py:_INSTANT", _JSON_SCHEMA + "formats.py:_is_instant"),
        lambda text: (formats._is_instant(text), formats._is_instant("2027-01-31T12:00:00." + text + "Z")),
        200_000,
    ),
    Reader(
        (_JSON_SCHEMA + "formats.py:_MAILBOX",),
        lambda text: (formats._is_address(text), formats._is_address(text + "@a.b")),
        200_000,
        {"a quoted name": repeated('\\"', start='"'), "a domain": repeated("a-", start="a@"),
         "an address": repeated("1:", start="a@[IPv6:")},
    ),
    Reader(
        (),
        lambda text: asyncio.run(_events(text)),
        8 * 1024 * 1024,
        {"data": repeated("data:\n"), "one line": repeated("a", start="data:"), "events": repeated("data:a\n\n")},
        seconds=30,  # of a stream in pieces of 16 bytes; only a growing shape comes close
        refusing=(ModelInvalidError,),
    ),
    Reader(
        (*(_JSON_SCHEMA + f"pattern_sizes.py:{each}" for each in ("_TOKEN", "_ITEM", "_FOLDING")),
         _JSON_SCHEMA + "patterns.py:_compiled"),
        _pattern,
        16 * 1024,
        {
            "repetitions": repeated("{1,2}"),
            "an open repetition": repeated("{1,"),
            "a number": repeated("1", start="{"),
            "repeated repetitions": repeated("(a*)*"),
            "groups": repeated("("),
            "classes": repeated(r"\w{9}"),
            "repeated again": repeated("{9}", start="a"),
            "blanks in a repetition": repeated(" ", start="a{1,"),
            "members of a class": repeated("a-", start="["),
            "flags": repeated("(?m"),
        },
        refusing=(UnsupportedPatternError,),
    ),
    Reader(
        (_JSON_SCHEMA + "checker.py:Checker._multiple",),
        _multiple,
        200_000,
        refusing=(ValueError, OverflowError, SchemaTooCostlyError),
    ),
    Reader(
        (_JSON_SCHEMA + "limits.py:_REFERENCE",),
        _REFERENCE.fullmatch,
        16 * 1024,
        {"a name": repeated("a.", start="#/$defs/"), "slashes": repeated("/", start="#")},
    ),
    Reader(("features/budgets/amounts.py:_PATTERN", "features/budgets/amounts.py:_amount"), validating(GivenAmount),
           HEADERS, {"digits": repeated("1"), "decimals": repeated("0", start="0.")}, refusing=(ValidationError,)),
    Reader((_CATALOGUE + "schemas.py:Language",), validating(Language), HEADERS, {"parts": repeated("ab-")},
           refusing=(ValidationError, PydanticCustomError)),
    Reader(("features/projects/schemas.py:Language",), validating(ProjectLanguage), HEADERS,
           {"parts": repeated("ab-")}, refusing=(ValidationError,)),
    Reader(("features/agents/schemas.py:AgentName",), validating(AgentName), HEADERS, refusing=(ValidationError,)),
    Reader(
        ("features/runs/execution/steps.py:_SURROGATES", "adapters/language_models/answers.py:_SURROGATES"),
        lambda text: (clean(text), _SURROGATES.sub("", text)),
        8 * 1024 * 1024,
        {"surrogates": repeated("\ud800")},
        seconds=8,
    ),
    Reader(("adapters/language_models/usage_forms.py:_CAPITAL",), _plain_name, 64, {"capitals": repeated("aB")}),
)  # fmt: skip
