"""References to code that only some processes import."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from importlib import import_module
from typing import Final, cast

_LONGEST_MESSAGE: Final = 300


@dataclass(frozen=True, slots=True)
class Lazy[T]:
    """Names an object as `module:name`, or a whole module as `module`."""

    target: str

    def load(self) -> T:
        """Imports the module; raises ImportError or AttributeError."""
        module, _, name = self.target.partition(":")
        found: object = import_module(module)
        for part in name.split(".") if name else ():
            found = getattr(found, part)
        return cast("T", found)


class LoadError(Exception):
    """Code cannot be imported; the reason and what to do, in one line."""


@contextmanager
def load_errors() -> Iterator[None]:
    """Turns everything that an import of foreign code raises into a LoadError, except KeyboardInterrupt."""
    try:
        yield
    except KeyboardInterrupt:
        raise
    except BaseException as error:
        raise LoadError(f"{in_one_line(error)}: {_remedy(error)}") from error


def in_one_line(error: BaseException) -> str:
    return " ".join(str(error).split())[:_LONGEST_MESSAGE] or type(error).__name__


def _remedy(error: BaseException) -> str:
    missing = error.name if isinstance(error, ModuleNotFoundError) else None
    package = missing.partition(".")[0] if missing else None
    return "correct it" if package is None or package in sys.modules else f"install {package}, or correct the name"


def lazy[T](target: str) -> Lazy[T]:
    """The type follows from where the reference is used."""
    return Lazy(target)


def loaded[T](given: T | Lazy[T]) -> T:
    return given.load() if isinstance(given, Lazy) else given
