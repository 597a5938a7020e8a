"""References to code that only some processes import."""

from __future__ import annotations

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
    """Code cannot be imported; the reason, in one line."""


@contextmanager
def load_errors() -> Iterator[None]:
    """Turns everything that an import of foreign code raises into a LoadError, except KeyboardInterrupt."""
    try:
        yield
    except KeyboardInterrupt:
        raise
    except BaseException as error:
        said = " ".join(str(error).split())[:_LONGEST_MESSAGE]
        raise LoadError(said or type(error).__name__) from error


def lazy[T](target: str) -> Lazy[T]:
    """The type follows from where the reference is used."""
    return Lazy(target)


def loaded[T](given: T | Lazy[T]) -> T:
    return given.load() if isinstance(given, Lazy) else given
