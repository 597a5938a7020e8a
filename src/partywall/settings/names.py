"""Tells settings from misspelled settings and from other programs' variables.

A misspelled variable must not start an unprotected server, and another program's variable must not stop it. So a name
counts as ours if its section is ours, or if section and name are both close to one of ours. Others are ignored.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from difflib import SequenceMatcher
from typing import Annotated, Final, Literal, TypeAliasType, get_args, get_origin

from pydantic import BaseModel

SEPARATOR: Final = "__"
_OUR_PREFIX: Final = "PARTYWALL_"
_OTHER_SEPARATORS: Final = str.maketrans(".:-/", "____")
# Protective settings that must not be missed when written with one underscore or a dot. No other program uses these.
_CLOSING: Final = ("ACCOUNTS", "OUTGOING", "QUOTAS")
_LONGEST: Final = 100
_NEAR_SECTION: Final = 0.6
_NEAR_NAME: Final = 0.65
_NEAR_ENVIRONMENT: Final = 0.9
_ANY: Final = "*"

type Path = tuple[str, ...]


def read_names(variables: Mapping[str, str | None], model: type[BaseModel]) -> Iterator[str]:
    """The names that `model` reads: `SECTION__NAME`, settings without a section, and whole sections in braces."""
    for name, value in variables.items():
        field = model.model_fields.get(name.partition(SEPARATOR)[0].lower())
        if field is not None and (SEPARATOR in name or _in_braces(value)) == _is_section(field.annotation):
            yield name


def _in_braces(value: str | None) -> bool:
    """Meant as JSON, which distinguishes a section from another program's variable, such as `MAIL=/var/mail/x`."""
    return (value or "").lstrip().startswith("{")


def unknown_names(names: Iterable[str], model: type[BaseModel]) -> Iterator[str]:
    """One line for each name that looks meant for `model` but is unknown to it."""
    known = list(_known(model))
    spelled = {SEPARATOR.join(path): path for path in known if _ANY not in path}
    for name in sorted({name.upper() for name in names}):
        if _is_meant(name, known, spelled) and not any(_fits(name, path) for path in known):
            nearest = _nearest(name, known)
            yield f"{name} is not a setting" + (f": the nearest is {nearest}" if nearest else "")


def whole_sections(variables: Mapping[str, str | None], model: type[BaseModel]) -> Iterator[str]:
    """One line for each variable that sets a whole section or mapping to something other than JSON."""
    known = list(_known(model))
    for name, value in sorted(variables.items()):
        given = name.upper()
        fitting = sorted((path for path in known if _fits(given, path)), key=len)
        if fitting and len(fitting[0]) > len(given.split(SEPARATOR)) and not _is_json_object(value or ""):
            yield f"{given} is not a setting by itself: set {SEPARATOR.join(_filled(fitting[0], given))}"


def _is_json_object(value: str) -> bool:
    try:
        return isinstance(json.loads(value), dict)
    except (ValueError, RecursionError):
        return False


def _is_meant(name: str, known: Sequence[Path], spelled: Mapping[str, Path]) -> bool:
    section, separator, rest = name.partition(SEPARATOR)
    if not separator:
        return _is_meant_without_section(name, spelled)
    sections = {path[0] for path in known if len(path) > 1}
    if section in sections or name.startswith(_OUR_PREFIX):
        return True
    if not section or len(name) > _LONGEST:
        return False
    near = {each for each in sections if _likeness(section, each) >= _NEAR_SECTION}
    return any(
        path[0] in near and _likeness(rest, SEPARATOR.join(_filled(path, name)[1:])) >= _NEAR_NAME for path in known
    )


def _is_meant_without_section(name: str, spelled: Mapping[str, Path]) -> bool:
    if name.removeprefix(_OUR_PREFIX) != name:
        return name.removeprefix(_OUR_PREFIX) in spelled
    if name.translate(_OTHER_SEPARATORS) in {"_".join(path) for path in spelled.values() if path[0] in _CLOSING}:
        return True
    return name not in spelled and len(name) <= _LONGEST and _likeness(name, "ENVIRONMENT") >= _NEAR_ENVIRONMENT


def _nearest(name: str, known: Collection[Path]) -> str | None:
    if len(name) > _LONGEST:
        return None
    given = name.removeprefix(_OUR_PREFIX).removeprefix("_")
    return max((SEPARATOR.join(_filled(path, name)) for path in known), key=lambda each: _likeness(given, each))


def _likeness(one: str, other: str) -> float:
    """A similarity from 0 to 1."""
    return SequenceMatcher(None, one, other, autojunk=False).ratio()


def _fits(name: str, path: Path) -> bool:
    """A section may also be given as a whole, as JSON."""
    parts = name.split(SEPARATOR)
    if len(parts) > len(path):
        return False
    return all(part == each or (each == _ANY and part) for part, each in zip(parts, path, strict=False))


def _filled(path: Path, name: str) -> Path:
    """The path with the operator's own names, such as an agent's, in place of its wildcards."""
    given = name.split(SEPARATOR)
    return tuple(
        (given[place] if place < len(given) and given[place] else "NAME") if part == _ANY else part
        for place, part in enumerate(path)
    )


def _known(model: type[BaseModel], before: Path = ()) -> Iterator[Path]:
    for name, field in model.model_fields.items():
        yield from _below(field.annotation, (*before, (field.alias or name).upper()))


def _below(annotation: object, path: Path) -> Iterator[Path]:
    found = _bare(annotation)
    if isinstance(found, type) and issubclass(found, BaseModel):
        yield from _known(found, path)
    elif get_origin(found) is dict:
        for key in _keys(get_args(found)[0]):
            yield from _below(get_args(found)[1], (*path, key))
    else:
        yield path


def _keys(annotation: object) -> Sequence[str]:
    """The keys of a mapping; a wildcard where the operator chooses them."""
    found = _bare(annotation)
    return [str(each).upper() for each in get_args(found)] if get_origin(found) is Literal else [_ANY]


def _bare(annotation: object) -> object:
    """The type without its aliases and annotations."""
    while isinstance(annotation, TypeAliasType) or get_origin(annotation) is Annotated:
        annotation = annotation.__value__ if isinstance(annotation, TypeAliasType) else get_args(annotation)[0]
    return annotation


def _is_section(annotation: object) -> bool:
    found = _bare(annotation)
    return isinstance(found, type) and issubclass(found, BaseModel)
