"""Patterns that callers bring, for the engine whose time is in proportion to the text, whatever the pattern."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from pydantic_core import SchemaError, SchemaValidator, ValidationError, core_schema

from partywall.features.agents.builtin.pattern_sizes import Measured, UnsupportedPatternError

MAX_CHARACTERS: Final = 200
# In bytes, of all patterns of one schema together. The engine's own limit is 10 MB for each, and cannot be set.
MAX_COMPILED: Final = 2_000_000
# pydantic-core keeps so many of those that it compiled last.
_KEPT: Final = 50


class Pattern:
    """Raises UnsupportedPatternError. Whether it is too large is to be asked before."""

    def __init__(self, found: Measured) -> None:
        try:
            self._compiled = _compiled(found.pattern)
        except SchemaError as error:
            raise UnsupportedPatternError from error

    def matches(self, text: str) -> bool:
        try:
            self._compiled.validate_python(text)
        except ValidationError:
            return False
        return True


@contextmanager
def forgotten_patterns() -> Iterator[None]:
    """After it, nothing of a tenant's patterns, or of what they were matched with, stays in pydantic-core."""
    try:
        yield
    finally:
        for number in range(_KEPT):
            _compiled(f"^{number}$")


def _compiled(pattern: str) -> SchemaValidator:
    return SchemaValidator(core_schema.str_schema(pattern=pattern, regex_engine="rust-regex"))
