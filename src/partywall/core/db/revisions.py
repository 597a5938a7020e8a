"""The revisions in a folder, read without importing them or Alembic, and whether they form one line."""

from __future__ import annotations

import ast
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

# The variables of a migration that link it to others.
_CHAIN: Final = frozenset({"revision", "down_revision"})


@dataclass(frozen=True, slots=True)
class Revision:
    """`after` names those it follows: one, or none if it is the first."""

    file: str
    line: int
    name: str
    after: tuple[str, ...]


def read_revisions(folder: Path) -> list[Revision]:
    """Raises OSError, SyntaxError or ValueError for a file that cannot be read."""
    files = sorted(path for path in folder.glob("*.py") if path.is_file())
    found = (revision_in(path.name, ast.parse(path.read_bytes(), path.name)) for path in files)
    return [each for each in found if each is not None]


def revision_in(file: str, module: ast.Module) -> Revision | None:
    found: dict[str, tuple[int, tuple[str, ...]]] = {}
    for node in module.body:
        targets = node.targets if isinstance(node, ast.Assign) else [getattr(node, "target", None)]
        value = getattr(node, "value", None)
        for target in targets:
            if isinstance(target, ast.Name) and target.id in _CHAIN and value is not None:
                found[target.id] = (node.lineno, tuple(_texts(value)))
    line, names = found.get("revision", (0, ()))
    return Revision(file, line, names[0], found.get("down_revision", (0, ()))[1]) if names else None


def not_in_line(revisions: Sequence[Revision]) -> Iterator[tuple[Revision, str]]:
    """Revisions that keep the folder from being one line, each with what to do."""
    counted = Counter(each.name for each in revisions)
    followers: dict[str | None, list[Revision]] = {}
    for each in revisions:
        if counted[each.name] > 1:
            yield each, f"{counted[each.name]} revisions are called {each.name}: rename all but one"
        for parent in each.after or (None,):
            followers.setdefault(parent, []).append(each)
            if parent is not None and parent not in counted:
                yield each, f"{each.name} follows {parent}, which does not exist: correct its down_revision"
    for parent, several in followers.items():
        if len(several) > 1:
            names = " and ".join(each.name for each in several)
            kind, where = ("roots", "follow no other") if parent is None else ("heads", f"follow {parent}")
            yield several[-1], f"{len(several)} {kind}: {names} {where}: let each follow one that no other follows"
    if revisions and None not in followers:
        yield revisions[0], f"no first one: {revisions[0].name} leads back to itself: give one down_revision = None"


def _texts(value: ast.expr) -> Iterator[str]:
    for node in value.elts if isinstance(value, ast.Tuple | ast.List) else (value,):
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            yield node.value
