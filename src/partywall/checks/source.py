"""The input of a lint: one parsed file, and the code base."""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path, PurePosixPath
from typing import Final, cast

from partywall.checks.tables import Table, collect_tables

OURS: Final = "partywall"

type Function = ast.FunctionDef | ast.AsyncFunctionDef


@dataclass(frozen=True, order=True)
class Finding:
    path: str
    line: int
    rule: str
    message: str

    def __str__(self) -> str:
        return f"{self.path}:{self.line}: {self.rule}: {self.message}"


@dataclass(frozen=True)
class Imported:
    """`import module` or `from module import name`; `target` is the full dotted name."""

    module: str
    name: str | None
    line: int

    @property
    def target(self) -> str:
        return f"{self.module}.{self.name}" if self.name else self.module


@dataclass(frozen=True)
class Source:
    """`path` is relative to the package, such as `features/documents/service.py`; findings show it below `folder`."""

    path: PurePosixPath
    text: str
    package: str = OURS
    folder: str = "src/partywall"

    @cached_property
    def tree(self) -> ast.Module:
        return ast.parse(self.text)

    @property
    def slice(self) -> str | None:
        """The slice of our own package; another package is one as a whole."""
        if self.package != OURS:
            return self.package
        parts = self.path.parts
        return parts[1] if parts[0] == "features" and len(parts) > 2 else None

    @property
    def stem(self) -> str:
        return self.path.stem

    def inside(self, *folders_or_files: str) -> bool:
        return any(self.path.is_relative_to(place) for place in folders_or_files)

    @cached_property
    def _walked(self) -> tuple[ast.AST, ...]:
        """Cached, because every lint reads nodes and a walk is slow."""
        return tuple(ast.walk(self.tree))

    @cached_property
    def _of_kinds(self) -> dict[tuple[type[ast.AST], ...], tuple[ast.AST, ...]]:
        """The answers of `nodes`: rules about a whole package ask for the same ones again in each of its files."""
        return {}

    def nodes[N: ast.AST](self, *kinds: type[N]) -> Iterator[N]:
        if kinds not in self._of_kinds:
            self._of_kinds[kinds] = tuple(node for node in self._walked if isinstance(node, kinds))
        return cast("Iterator[N]", iter(self._of_kinds[kinds]))

    def functions(self) -> Iterator[Function]:
        return self.nodes(ast.FunctionDef, ast.AsyncFunctionDef)

    def imports(self) -> Iterator[Imported]:
        return iter(self._imported)

    @cached_property
    def _imported(self) -> tuple[Imported, ...]:
        return tuple(self._read_imports())

    def _read_imports(self) -> Iterator[Imported]:
        for node in self.nodes(ast.Import):
            yield from (Imported(alias.name, None, node.lineno) for alias in node.names)
        for named in self.nodes(ast.ImportFrom):
            yield from (Imported(self._absolute(named), alias.name, named.lineno) for alias in named.names)

    def finding(self, rule: str, line: int, message: str) -> Finding:
        return Finding(f"{self.folder}/{self.path}", line, rule, message)

    def _absolute(self, node: ast.ImportFrom) -> str:
        if not node.level:
            return node.module or ""
        package = (self.package, *self.path.parts[: len(self.path.parts) - node.level])
        return ".".join((*package, node.module) if node.module else package)


JOB_PAYLOAD = "JobPayload"


@dataclass(frozen=True)
class Codebase:
    """`order` lists the slices from the lowest to the highest; `statements` holds those in files, by their names."""

    sources: tuple[Source, ...]
    order: tuple[str, ...] = ()
    statements: Mapping[str, str] = field(default_factory=dict)

    @classmethod
    def read(cls, root: Path, order: Iterable[str] = ()) -> Codebase:
        files = sorted(path for path in root.rglob("*.py") if "__pycache__" not in path.parts)
        paths = (PurePosixPath(file.relative_to(root).as_posix()) for file in files)
        return cls(
            tuple(Source(path, file.read_text()) for path, file in zip(paths, files, strict=True)),
            tuple(order),
            {path.relative_to(root).as_posix(): path.read_text() for path in root.rglob("sql/statements/*.sql")},
        )

    def texts(self, source: Source) -> Iterator[tuple[int, str]]:
        """The texts in a source with their lines; for the name of a statement's file, the statement."""
        for node in source.nodes(ast.Constant):
            if isinstance(node.value, str):
                yield node.lineno, self.statements.get(node.value, node.value)

    @cached_property
    def tables(self) -> tuple[Table, ...]:
        return tuple(
            table for source in self.sources for table in collect_tables(source.tree, source.slice, self._mixins)
        )

    @cached_property
    def project_tables(self) -> tuple[Table, ...]:
        return tuple(table for table in self.tables if table.belongs_to_project)

    @cached_property
    def schemas(self) -> frozenset[str]:
        """The names of Pydantic's classes, except job payloads, which are declared with their job."""
        classes = [(node.name, set(bases(node))) for source in self.sources for node in source.nodes(ast.ClassDef)]
        found, more = set[str](), {"BaseModel"}
        while more:
            found |= more
            more = {name for name, above in classes if above & found and name != JOB_PAYLOAD} - found
        return frozenset(found)

    @cached_property
    def _mixins(self) -> frozenset[str]:
        """Classes without a table of their own that add the column `project_id`."""
        return frozenset(
            node.name
            for source in self.sources
            for node in source.nodes(ast.ClassDef)
            if any(isinstance(item, ast.AnnAssign) and ast.unparse(item.target) == "project_id" for item in node.body)
            and "mapped_column" in ast.unparse(node)
        )


def bases(node: ast.ClassDef) -> Iterator[str]:
    """The base classes' names, without module and type parameters."""
    for base in node.bases:
        plain = base.value if isinstance(base, ast.Subscript) else base
        if isinstance(plain, ast.Name | ast.Attribute):
            yield plain.id if isinstance(plain, ast.Name) else plain.attr


type Lint = Callable[[Source, Codebase], Iterable[Finding]]
