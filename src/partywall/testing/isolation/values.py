"""Foreign values in many spellings, and for each a value of the same form that does not exist."""

from __future__ import annotations

import random
import re
import string
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from pydantic import JsonValue

from partywall.testing.isolation.surface import Place, Position

# Words that occur only in FOREIGN. A guard is never sent, so it indicates a leak wherever it appears; a bait is sent,
# because it may find something.
GUARD: Final = "kanarie"
BAIT: Final = "lokaas"
_WORDS: Final = re.compile(rf"(?:{GUARD}|{BAIT})[a-z]{{12}}")
_UUID: Final = re.compile(r"[0-9a-f]{8}-(?:[0-9a-f]{4}-){3}[0-9a-f]{12}")
_HEX: Final = re.compile(r"(?:\\x)?[0-9a-f]{32,}")
_INSTANT: Final = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{4,6}")
# Shorter values may occur elsewhere; longer ones are texts, which their words identify.
_SHORTEST: Final = 12
_LONGEST: Final = 200
# Numbers of FOREIGN start here, so that they occur nowhere else and are higher than any in HOME.
FAR: Final = 7_300_000


class Kind(StrEnum):
    ID = "id"
    NUMBER = "number"
    EMAIL = "e-mail address"
    HASH = "hash"
    TEXT = "text"
    CURSOR = "cursor"
    TAG = "entity tag"
    SECRET = "secret"
    TICKET = "ticket"  # created anew for each attempt, because using a ticket consumes it


@dataclass(frozen=True, slots=True)
class Value:
    """`live`: grants access to any holder, at a position that accepts it."""

    kind: Kind
    name: str
    text: str
    live: bool = False


def mark(word: str) -> Callable[[], str]:
    """Generates words with this prefix that occur nowhere else."""
    return lambda: word + "".join(random.choices(string.ascii_lowercase, k=12))


def forbidden_texts(leaves: set[str]) -> frozenset[str]:
    """The values of a database that reveal their origin, in lower case."""
    found: set[str] = set()
    for leaf in leaves:
        parts = {*_WORDS.findall(leaf), *_UUID.findall(leaf)}
        if parts:
            found |= parts
        elif _HEX.fullmatch(leaf):
            found.add(leaf.removeprefix("\\x"))
        elif instant := _INSTANT.match(leaf):
            found.add(instant[0])
        elif (leaf.isdigit() and int(leaf) >= FAR) or _is_rare(leaf):
            found.add(leaf)
    return frozenset(each.lower() for each in found)


def _is_rare(leaf: str) -> bool:
    return _SHORTEST <= len(leaf) <= _LONGEST and not any(each.isspace() for each in leaf)


def scrambled(value: Value, rng: random.Random) -> str:
    """A value of the same form that does not exist."""
    if value.kind is Kind.EMAIL:
        local, _, domain = value.text.partition("@")
        return f"{_shuffled(local, rng)}@{domain}"
    if value.kind in (Kind.ID, Kind.HASH):
        return "".join(rng.choice("0123456789abcdef") if each in string.hexdigits else each for each in value.text)
    return _shuffled(value.text, rng)


def _shuffled(text: str, rng: random.Random) -> str:
    """Replaces digits by digits and letters by letters; a leading digit stays, so that a number keeps its magnitude."""
    made = []
    for index, each in enumerate(text):
        if each.isdigit():
            made.append(each if index == 0 else rng.choice(string.digits))
        elif each.isascii() and each.isalpha():
            made.append(rng.choice(string.ascii_lowercase if each.islower() else string.ascii_uppercase))
        else:
            made.append(each)
    return "".join(made)


type Spelling = Callable[[str, str], JsonValue]


def _percent(text: str, _: str) -> JsonValue:
    return "".join(f"%{byte:02X}" for byte in text.encode())


# Functions of a foreign value and of the caller's own value for the same position.
SPELLINGS: Final[Mapping[str, Spelling]] = {
    "plain": lambda text, _: text,
    "upper": lambda text, _: text.upper(),
    "bare": lambda text, _: text.replace("-", ""),
    "braces": lambda text, _: "{" + text + "}",
    "urn": lambda text, _: f"urn:uuid:{text}",
    "percent": _percent,
    "dot": lambda text, _: text + ".",
    "slash": lambda text, _: text + "/",
    "null": lambda text, _: text + "\0",
    "spaces": lambda text, _: f" {text} ",
    "newline": lambda text, _: text + "\n",
    "quoted": lambda text, _: f'"{text}"',
    "weak": lambda text, _: f'W/"{text}"',
    "walk": lambda text, own: f"{own}/../{text}",
    "walk encoded": lambda text, own: f"{own}%2F..%2F{text}",
    "walk in": lambda text, own: f"{text}/../{own}",
    "both": lambda text, own: f"{own},{text}",
    "both turned": lambda text, own: f"{text},{own}",
    "half null": lambda text, own: f"{own}\0{text}",
    "sql or": lambda text, own: f"{own}' OR project_id = '{text}' --",
    "sql union": lambda text, _: f"' UNION SELECT * FROM document WHERE project_id = '{text}",  # noqa: S608 - an attack
    "wildcard": lambda text, _: f"{text[:10]}%",
    "star": lambda text, _: f"{text[:10]}*",
    "json": lambda text, _: f'{{"id":"{text}"}}',
    "json list": lambda text, _: f'["{text}"]',
    "list": lambda text, _: [text],
    "list with own": lambda text, own: [own, text],
    "object": lambda text, _: {"id": text},
    "operator": lambda text, _: {"$eq": text},
    "bytes": lambda text, _: f"bytes=0-,{text}",
    "range": lambda text, _: f"bytes={text}-",
    "number": lambda text, _: int(text) if text.isdigit() else f"0{text}",
    "signed": lambda text, _: f"+{text}",
    "fraction": lambda text, _: f"{text}.0",
}
_ONLY_IN_BODIES: Final = frozenset({"object", "operator", "number"})
_ONLY_TEXT: Final = frozenset({"list", "list with own", *_ONLY_IN_BODIES})
_LEFT_OUT: Final[Mapping[Place, frozenset[str]]] = {
    Place.BODY: frozenset(),
    Place.QUERY: _ONLY_IN_BODIES,
    Place.HEADER: frozenset({"null", "newline", "half null", *_ONLY_TEXT}),
}


def spellings_at(position: Position) -> list[str]:
    """The spellings that can be sent at the position."""
    left_out = _LEFT_OUT.get(position.place, _ONLY_TEXT)
    return [name for name in SPELLINGS if name not in left_out]


def fitting(position: Position) -> tuple[Kind, ...]:
    """The kinds of value that the position expects, the most likely first."""
    name = position.name.rpartition("/")[2].lower()
    if "cursor" in name:
        return (Kind.CURSOR,)
    if name in ("if-match", "if-none-match", "if-range"):
        return (Kind.TAG, Kind.HASH)
    if name == "ticket":
        return (Kind.TICKET, Kind.SECRET)
    if "token" in name or "password" in name:
        return (Kind.SECRET, Kind.TEXT)
    if "email" in name or name == "username" or position.schema.get("format") == "email":
        return (Kind.EMAIL,)
    if position.schema.get("type") == "integer" or name in ("last-event-id", "after", "range", "number"):
        return (Kind.NUMBER,)
    if (name.endswith("_id") and name != "external_id") or position.schema.get("format") == "uuid":
        return (Kind.ID,)
    return (Kind.TEXT, Kind.ID)
