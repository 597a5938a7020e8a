"""Names that would give a feature what is not its own: it owns what begins with its name in the database."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from functools import cache
from pathlib import Path
from typing import Final

_PACKAGE: Final = Path(__file__).parents[1]
_KINDS: Final = ("TABLE", "INDEX", "FUNCTION", "SCHEMA")
_WORDS: Final = frozenset({"false", "none", "null", "public", "self", "src", "test", "tests", "true"})


def why_taken(name: str, installed: Iterable[str] = ()) -> Iterator[str]:
    """Why no feature can have the name, beside these installed ones."""
    if name in _WORDS:
        yield "has a name that SQL, Python or a package's tests use: choose another"
    for other in installed:
        if other.startswith(f"{name}_"):
            yield f"has a name with which the feature {other} begins: choose another"
    for kind, ours in _our_objects():
        if ours == name or ours.startswith(f"{name}_"):
            yield f"has a name with which our {kind} {ours} begins: choose another"
            return


@cache
def _our_objects() -> tuple[tuple[str, str], ...]:
    """What our migrations create, by kind and name. Tables come first: they explain best."""
    found = {("table", "alembic_version")}
    for path in _PACKAGE.glob("*/**/sql/*.sql"):
        found.update(_created(path.read_text(encoding="utf-8")))
    return tuple(sorted(found, key=lambda each: (each[0] != "table", each)))


def _created(sql: str) -> Iterator[tuple[str, str]]:
    """Each of our statements begins a line, such as `CREATE OR REPLACE FUNCTION wall.usage(`."""
    for line in sql.splitlines():
        words = line.replace("(", " ").replace(";", " ").split()
        for place, word in enumerate(words[:4]):
            if words[0] == "CREATE" and word in _KINDS:
                yield word.lower(), words[place + 1].rpartition(".")[2]
