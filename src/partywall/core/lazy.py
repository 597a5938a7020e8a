"""References to code that only some processes import."""

from __future__ import annotations

from dataclasses import dataclass
from importlib import import_module
from typing import cast


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


def lazy[T](target: str) -> Lazy[T]:
    """The type follows from where the reference is used."""
    return Lazy(target)


def loaded[T](given: T | Lazy[T]) -> T:
    return given.load() if isinstance(given, Lazy) else given
