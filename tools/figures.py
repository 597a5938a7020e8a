"""Prints figures about the source: import cycles, sizes, and how many files a new slice touches.

`make figures`. It only reads the files; `tools.request_files` counts those that a request executes.
"""

from __future__ import annotations

import argparse
import ast
import io
import re
import tokenize
from collections.abc import Iterable, Iterator, Mapping, Set
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Final, NamedTuple

ROOT: Final = Path(__file__).resolve().parents[1]
SOURCE: Final = ROOT / "src"
PACKAGE: Final = "partywall"
# All Python files below `src` before the restructuring of November 2026. Its issue says 29,700, which was counted
# before the work that was in progress then was merged.
SOURCE_LINES: Final = 47_518

type Graph = Mapping[str, frozenset[str]]


class Figure(NamedTuple):
    name: str
    value: object
    target: str = ""
    details: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Module:
    """`imports` are those on import of the module and for type checking; `late` are made by functions."""

    name: str
    imports: frozenset[str]
    late: frozenset[str]


def read_modules(source: Path, package: str = PACKAGE) -> dict[str, Module]:
    paths = {_name(path.relative_to(source)): path for path in sorted((source / package).rglob("*.py"))}
    return {name: _module(name, path, paths.keys()) for name, path in paths.items()}


def _name(path: Path) -> str:
    parts = path.with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def _module(name: str, path: Path, known: Set[str]) -> Module:
    tree = ast.parse(path.read_text())
    inside = {id(node) for each in ast.walk(tree) if isinstance(each, ast.FunctionDef | ast.AsyncFunctionDef)
              for node in ast.walk(each)}  # fmt: skip
    found: dict[bool, set[str]] = {False: set(), True: set()}
    for node in ast.walk(tree):
        found[id(node) in inside].update(known & set(_imported(node, known)) - {name})
    return Module(name, frozenset(found[False]), frozenset(found[True]))


def _imported(node: ast.AST, known: Set[str]) -> Iterator[str]:
    """`from a import b` imports the module `a.b` if there is one."""
    if isinstance(node, ast.Import):
        yield from (alias.name for alias in node.names)
    elif isinstance(node, ast.ImportFrom) and node.module:
        names = [f"{node.module}.{alias.name}" for alias in node.names]
        yield from (name if name in known else node.module for name in names)


def module_cycles(modules: Mapping[str, Module], *, late: bool = False) -> list[list[str]]:
    return cycles({name: each.imports | (each.late if late else frozenset()) for name, each in modules.items()})


def sibling_cycles(modules: Mapping[str, Module]) -> list[list[str]]:
    """Cycles between the members of a package; what a member contains counts as the member."""
    found: list[list[str]] = []
    for package in sorted({parent for name in modules for parent in _parents(name)}):
        graph: dict[str, set[str]] = {}
        for name, each in modules.items():
            if member := _member(package, name):
                others = {_member(package, imported) for imported in each.imports | each.late}
                graph.setdefault(member, set()).update(other for other in others if other and other != member)
        found += cycles({name: frozenset(others) for name, others in graph.items()})
    return found


def _parents(name: str) -> Iterator[str]:
    parts = name.split(".")
    yield from (".".join(parts[:end]) for end in range(1, len(parts)))


def _member(package: str, name: str) -> str | None:
    rest = name.removeprefix(f"{package}.")
    return None if rest == name else f"{package}.{rest.partition('.')[0]}"


def cycles(graph: Graph) -> list[list[str]]:
    """The groups of nodes that reach one another."""
    reached = {node: _reachable(graph, node) for node in graph}
    groups = {
        frozenset({other for other in reached[node] if node in reached.get(other, ())})
        for node in graph
        if node in reached[node]
    }
    return sorted(sorted(group) for group in groups)


def _reachable(graph: Graph, start: str) -> set[str]:
    """What `start` reaches over at least one import."""
    seen: set[str] = set()
    waiting = [start]
    while waiting:
        for other in graph.get(waiting.pop(), ()):
            if other not in seen:
                seen.add(other)
                waiting.append(other)
    return seen


def code_lines(text: str) -> int:
    """Lines that are neither blank nor only a comment."""
    skipped = {tokenize.COMMENT, tokenize.NL, tokenize.NEWLINE, tokenize.INDENT, tokenize.DEDENT, tokenize.ENDMARKER}
    lines: set[int] = set()
    for token in tokenize.generate_tokens(io.StringIO(text).readline):
        if token.type not in skipped:
            lines.update(range(token.start[0], token.end[0] + 1))
    return len(lines)


def slice_lists(source: Path) -> list[str]:
    """Files outside the slices that name at least half of them: a new slice is entered in each."""
    features = source / PACKAGE / "features"
    slices = {path.parent.name for path in features.glob("*/__init__.py")}
    files = [*source.rglob("*.py"), *(source.parent / "tests").rglob("*.py"), source.parent / "pyproject.toml"]
    outside = [path for path in files if not _in_slice(path, slices)]
    return sorted(path.relative_to(source.parent).as_posix() for path in outside if _names_half(path, slices))


def _in_slice(path: Path, slices: set[str]) -> bool:
    return path.parent != path.parent.parent and bool(slices & set(path.parts)) and "features" in path.parts


def _names_half(path: Path, slices: set[str]) -> bool:
    text = path.read_text()
    # As a module, as a layer of a contract, or as a name.
    named = sum(re.search(rf"features\.{name}\b|\({name}\)|\"{name}\"", text) is not None for name in slices)
    return 2 * named >= len(slices)


def size_figures(title: str, files: Iterable[Path], total_target: str = "") -> Iterator[Figure]:
    texts = {path: path.read_text() for path in files}
    lengths = {path: len(text.splitlines()) for path, text in texts.items()}
    longest = sorted((lines, path) for path, lines in lengths.items() if lines > 300)
    details = tuple(f"{lines} {path.relative_to(ROOT).as_posix()}" for lines, path in reversed(longest))
    yield Figure(f"{title}: lines", sum(lengths.values()), total_target)
    yield Figure(f"{title}: lines of code, without blank lines and comments", sum(map(code_lines, texts.values())))
    yield Figure(f"{title}: files", len(lengths))
    yield Figure(f"{title}: median lines of a file", int(median(lengths.values())), "at most 80")
    yield Figure(f"{title}: most lines of a file", max(lengths.values()), "at most 300", details)


def import_figures(source: Path) -> Iterator[Figure]:
    modules = read_modules(source)
    top, late = module_cycles(modules), module_cycles(modules, late=True)
    between = sibling_cycles(modules)
    yield Figure("import cycles between modules, TYPE_CHECKING included", len(top), "0", _shown(top))
    yield Figure("import cycles between modules, with imports in functions", len(late), "0", _shown(late))
    yield Figure("import cycles between the members of a package", len(between), "0", _shown(between))
    inside = tuple(f"{each.name} -> {other}" for each in modules.values() for other in sorted(each.late))
    yield Figure("imports of our own in functions", len(inside), "", inside)


def _shown(groups: list[list[str]]) -> tuple[str, ...]:
    return tuple(", ".join(group) for group in groups)


def figures() -> Iterator[Figure]:
    yield from import_figures(SOURCE)
    lists = slice_lists(SOURCE)
    yield Figure("existing files that a new slice touches", len(lists), "at most 3", tuple(lists))
    yield from size_figures("source", SOURCE.rglob("*.py"), f"at most {SOURCE_LINES:,}")
    yield from size_figures("tests", (ROOT / "tests").rglob("*.py"))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--details", action="store_true", help="also list the cycles, files and imports counted")
    options = parser.parse_args()
    for figure in figures():
        target = f" (target: {figure.target})" if figure.target else ""
        print(f"{figure.name}: {figure.value}{target}")
        for detail in figure.details if options.details else ():
            print(f"    {detail}")


if __name__ == "__main__":
    main()
