"""Matches callers' regular expressions with an engine that takes linear time for every pattern (Rust's regex)."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from pydantic_core import SchemaError, SchemaValidator, ValidationError, core_schema

from partywall.core.json_schema.pattern_sizes import Measured, UnsupportedPatternError

MAX_CHARACTERS: Final = 200
# In bytes, for all patterns of one schema together. The engine's own limit is fixed at 10 MB for each pattern.
MAX_COMPILED: Final = 2_000_000
# The size of pydantic-core's cache of compiled patterns.
_KEPT: Final = 50


class Pattern:
    """A compiled pattern. Raises UnsupportedPatternError. Callers must check its size first."""

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
    """On exit, evicts a tenant's patterns, and the texts they were matched with, from pydantic-core's cache."""
    try:
        yield
    finally:
        for number in range(_KEPT):
            _compiled(f"^{number}$")


def _compiled(pattern: str) -> SchemaValidator:
    return SchemaValidator(core_schema.str_schema(pattern=pattern, regex_engine="rust-regex"))
