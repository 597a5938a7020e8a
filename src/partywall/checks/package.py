"""A package with features, read from its directory without importing it."""

from __future__ import annotations

import ast
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path, PurePosixPath
from typing import Final

from partywall.checks.files import NoPackageError, python_files, python_text, read_file
from partywall.checks.source import Codebase, Source
from partywall.checks.tables import called_name
from partywall.extensions.name_checks import is_valid_name

GROUP: Final = "partywall.features"
MIGRATIONS: Final = "migrations"


@dataclass(frozen=True)
class Project:
    """`pyproject.toml`: the distribution, what it depends on, and its entry points of features."""

    text: str
    name: str
    dependencies: tuple[str, ...]
    entry_points: dict[str, str]

    def line(self, words: str) -> int:
        """The first line that contains the words, or the first line."""
        return next((number for number, line in enumerate(self.text.splitlines(), 1) if words in line), 1)


@dataclass(frozen=True)
class Package(Codebase):
    """Its sources, and its project file. `name` is the package that Python imports."""

    project: Project = field(kw_only=True)
    name: str = field(kw_only=True)

    @cached_property
    def features(self) -> dict[str, ast.Call]:
        """The declarations `Feature(...)`, by the target of their entry point."""
        found = {}
        for target in self.project.entry_points.values():
            module, _, variable = target.partition(":")
            source = self.module(module)
            if source is not None and (call := _declaration(source, variable)) is not None:
                found[target] = call
        return found

    @cached_property
    def feature_names(self) -> frozenset[str]:
        """The valid names, of entry points and declarations: of two that differ, PW001 reports one."""
        declared = (text_of(keyword(call, "name")) or "" for call in self.features.values())
        return frozenset(name for name in (*self.project.entry_points, *declared) if is_valid_name(name))

    @property
    def prefix(self) -> str:
        """What its names begin with."""
        return min(self.feature_names, default=self.name)

    def owns(self, name: str) -> bool:
        """Whether a name in the database is the package's own. Without a valid name, nothing is foreign."""
        if not self.feature_names:
            return True
        return any(name == each or name.startswith(f"{each}_") for each in self.feature_names)

    def module(self, dotted: str) -> Source | None:
        return next((source for source in self.sources if self.dotted(source) == dotted), None)

    def dotted(self, source: Source) -> str:
        parts = (self.name, *source.path.with_suffix("").parts)
        return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)

    def calls(self, *names: str) -> Iterator[tuple[Source, ast.Call]]:
        for source in self.sources:
            yield from ((source, call) for call in source.nodes(ast.Call) if called_name(call) in names)


def read_package(directory: Path) -> Package:
    """Raises NoPackageError."""
    project = _project(directory)
    target = next(iter(project.entry_points.values()), "")
    name = target.partition(":")[0].partition(".")[0]
    if not target:
        raise NoPackageError(
            f"{directory / 'pyproject.toml'} has no entry point: name the feature below"
            f' [project.entry-points."{GROUP}"]'
        )
    if not name.isidentifier():
        raise NoPackageError(f"{directory / 'pyproject.toml'} names {target!a}: use the form orders.feature:feature")
    root = next((place for place in (directory / "src" / name, directory / name) if place.is_dir()), None)
    if root is None:
        raise NoPackageError(f"{directory} contains no package {name}, which its entry point names: correct the name")
    if not root.resolve().is_relative_to(directory.resolve()):
        raise NoPackageError(f"{root} leads out of {directory}: give the directory of the package itself")
    return Package(tuple(_sources(root, name, directory)), project=project, name=name)


def _project(directory: Path) -> Project:
    file = directory / "pyproject.toml"
    if directory.exists() and not directory.is_dir():
        raise NoPackageError(f"{directory} is no directory: give the directory of a package")
    try:
        text = read_file(file, directory).decode()
        table = tomllib.loads(text).get("project", {})
        groups = table.get("entry-points", {}).get(GROUP, {})
        dependencies = tuple(map(str, table.get("dependencies", ())))
        return Project(text, str(table.get("name", "")), dependencies, {str(k): str(v) for k, v in groups.items()})
    except FileNotFoundError as error:
        raise NoPackageError(f"{directory} has no pyproject.toml: give the directory of a package") from error
    except (ValueError, AttributeError, TypeError, RecursionError) as error:
        raise NoPackageError(f"{file} cannot be read: {' '.join(str(error).split())}: correct it") from error


def _sources(root: Path, name: str, directory: Path) -> Iterator[Source]:
    for file in python_files(root):
        path = PurePosixPath(file.relative_to(root).as_posix())
        try:
            text = python_text(read_file(file, root))
            source = Source(path, text, name, str(root.relative_to(directory)))
            source.tree  # noqa: B018 - parsed here, because a file that is not Python cannot be checked
        except SyntaxError as error:
            raise NoPackageError(f"{file}:{error.lineno or 1}: not valid Python: {error.msg}: correct it") from error
        except (FileNotFoundError, ValueError, RecursionError, MemoryError) as error:
            said = " ".join(str(error).split()) or "nested too deeply"
            raise NoPackageError(f"{file}: not valid Python: {said}: correct it") from error
        yield source


def _declaration(source: Source, variable: str) -> ast.Call | None:
    for node in source.tree.body:
        targets = node.targets if isinstance(node, ast.Assign) else [getattr(node, "target", None)]
        named = any(isinstance(target, ast.Name) and target.id == variable for target in targets)
        value = getattr(node, "value", None)
        if named and isinstance(value, ast.Call) and called_name(value) == "Feature":
            return value
    return None


def keyword(call: ast.Call, name: str) -> ast.expr | None:
    return next((each.value for each in call.keywords if each.arg == name), None)


def text_of(node: ast.expr | None) -> str | None:
    return node.value if isinstance(node, ast.Constant) and isinstance(node.value, str) else None
