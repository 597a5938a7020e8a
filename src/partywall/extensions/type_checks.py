"""Values in a declaration, and the code that it names, against the types that the declaration's classes state."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import fields, is_dataclass
from functools import cache
from types import NoneType, UnionType
from typing import Final, TypeAliasType, TypeVar, Union, cast, get_args, get_origin, get_type_hints

from partywall.core.agents import DeclaredAgents
from partywall.core.events.types import EventType
from partywall.core.feature import Feature
from partywall.core.jobs.kinds import JobHandler
from partywall.core.jobs.loops import Loop
from partywall.core.jobs.schedules import Schedule
from partywall.core.lazy import Lazy, LoadError, load_errors
from partywall.core.rights import Right
from partywall.core.tools import AnyTool
from partywall.settings.base import Section

# What `Feature` imports for its types only. Workers import no router: `route_problems` checks those.
_NAMES: Final = {
    "APIRouter": object, "AnyTool": AnyTool, "DeclaredAgents": DeclaredAgents, "EventType": EventType,
    "JobHandler": JobHandler, "Loop": Loop, "Right": Right, "Schedule": Schedule, "Section": Section,
}  # fmt: skip


def declaration_problems(feature: Feature) -> Iterator[str]:
    """Fields with a value of a wrong type; imports nothing."""
    yield from _wrong(feature, Feature, "", load=False)


def code_problems(feature: Feature, chosen: Collection[str]) -> Iterator[str]:
    """What these fields name that cannot be imported or has a wrong type."""
    for name in sorted(chosen):
        yield from _wrong(getattr(feature, name), _hints(Feature)[name], name, load=True)


def _wrong(value: object, declared: object, place: str, *, load: bool) -> Iterator[str]:
    hint = _resolved(declared)
    if get_origin(hint) in (Union, UnionType):
        hint = next((each for each in map(_resolved, get_args(hint)) if _fits(value, each)), hint)
    if not _fits(value, hint):
        yield f"has {_kind(value)} in {place}: give {_text(declared)}"
    elif isinstance(value, Lazy):
        target: object = value.target
        if not isinstance(target, str):
            yield f'has lazy({_kind(target)}) in {place}: give lazy("module:name")'
        elif load:
            yield from _wrong_code(value, *get_args(hint) or (object,))
    else:
        for inner, its_hint, where in _parts(value, hint, place):
            yield from _wrong(inner, its_hint, where, load=load)


def _wrong_code(reference: Lazy[object], hint: object) -> Iterator[str]:
    try:
        with load_errors():
            found = reference.load()
    except LoadError as error:
        yield f"names {reference.target}, which cannot be imported: {error}"
    else:
        yield from _wrong(found, hint, reference.target, load=True)


def _parts(value: object, hint: object, place: str) -> Iterator[tuple[object, object, str]]:
    """What the value contains: each part, its type and its place."""
    arguments = get_args(hint)
    if isinstance(value, Mapping) and arguments:
        yield from ((key, arguments[0], place) for key in value)
        yield from ((each, arguments[1], f"{place}[{key!a}]") for key, each in value.items())
    elif isinstance(value, Sequence | frozenset) and arguments:
        yield from ((each, arguments[0], f"{place}[{index}]") for index, each in enumerate(value))
    elif is_dataclass(kind := get_origin(hint) or hint):
        hints = _hints(cast("type", kind))
        yield from ((getattr(value, name), hints[name], f"{place}.{name}".lstrip(".")) for name in hints)


def _fits(value: object, hint: object) -> bool:
    kind = get_origin(hint) or hint
    if get_origin(hint) in (Union, UnionType) or not (isinstance(kind, type) or kind is None):
        return False
    if kind is type:
        [base] = get_args(hint)
        return isinstance(value, type) and issubclass(value, cast("type", _resolved(base)))
    if getattr(kind, "_is_protocol", False) or kind is object:
        return True
    taken_for_it = (kind is int and isinstance(value, bool)) or (kind is Sequence and isinstance(value, str))
    return isinstance(value, kind or NoneType) and not taken_for_it


def _resolved(hint: object) -> object:
    """Without aliases and type parameters."""
    alias = get_origin(hint) or hint
    if isinstance(alias, TypeAliasType):
        return _resolved(alias.__value__)
    return _resolved(hint.__bound__ or object) if isinstance(hint, TypeVar) else hint


@cache
def _hints(kind: type) -> dict[str, object]:
    found = get_type_hints(kind, localns={**_NAMES, **{each.__name__: each for each in kind.__type_params__}})
    return {each.name: found[each.name] for each in fields(kind)}


def _kind(value: object) -> str:
    return f"the class {value.__name__}" if isinstance(value, type) else f"a value of type {type(value).__name__}"


def _text(hint: object) -> str:
    """A type in words, without the names of modules."""
    if get_origin(hint) in (Union, UnionType):
        return " or ".join(map(_text, get_args(hint)))
    name = "None" if hint is NoneType else getattr(get_origin(hint) or hint, "__name__", "...")
    inside = ", ".join(map(_text, get_args(hint)))
    return f"{name}[{inside}]" if inside else name
