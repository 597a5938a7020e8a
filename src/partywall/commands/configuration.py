"""Loads the settings; a problem is one line with the variable's name and without its value."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Final

import typer
from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails
from pydantic_settings import SettingsError

from partywall.commands.paths import given_path
from partywall.commands.usage_error import UsageError
from partywall.settings import Settings
from partywall.settings.names import unknown_names

# Pydantic's location if the key of a mapping is wrong, not its value.
_KEY: Final = "[key]"

type Values = Mapping[str, str | Path | Mapping[str, str]]

DataDir = Annotated[
    Path,
    typer.Option("--data-dir", envvar="DATA_DIR", help="The data directory of `partywall serve`.", parser=given_path),
]


def load_settings(values: Values | None = None) -> Settings:
    """Loads the settings from the environment; `values` have precedence. Raises UsageError."""
    with settings_problems(Settings):
        return Settings.model_validate(dict(values or {}))


@contextmanager
def settings_problems(model: type[BaseModel]) -> Iterator[None]:
    """Turns errors of reading `model` from the environment into a UsageError."""
    try:
        yield
    except ValidationError as error:
        raise UsageError("\n".join(_problem_lines(error.errors(), model))) from None
    except SettingsError as error:
        raise UsageError(str(error)) from None
    except OSError as error:
        raise UsageError(f"{error.filename}: {(error.strerror or str(error)).lower()}") from None


def _problem_lines(problems: Sequence[ErrorDetails], model: type[BaseModel]) -> Iterator[str]:
    """Yields one line for all missing settings, and one for each other problem."""
    missing = [name for each in problems if each["type"] == "missing" for name in _required(each["loc"], model)]
    if missing:
        yield f"{' and '.join(missing)} {'are' if missing[1:] else 'is'} not set"
    for problem in problems:
        if problem["type"] != "missing":
            yield from _lines_of(problem, model)


def _lines_of(problem: ErrorDetails, model: type[BaseModel]) -> Iterator[str]:
    message = problem["msg"].removeprefix("Value error, ")
    if problem["type"] == "time_delta_parsing":
        message = "write a time as PT75S (75 seconds), PT5M (5 minutes) or P1D (a day)"
    if not problem["loc"]:
        yield message
        return
    variable = _variable(problem["loc"])
    if f"{variable}__" in message:  # a rule about several settings of the section: the message names them
        yield message
        return
    if problem["type"] == "extra_forbidden" or problem["loc"][-1] == _KEY:
        yield next(unknown_names([variable], model), f"{variable}: {_within_a_line(message)}")
        return
    yield f"{variable}: {_within_a_line(message)}"


def _within_a_line(message: str) -> str:
    """Lowercases the first letter, unless the message starts with an abbreviation such as URL."""
    return message if message[1:2].isupper() else f"{message[:1].lower()}{message[1:]}"


def _variable(location: Sequence[str | int]) -> str:
    return "__".join(str(part) for part in location if isinstance(part, str) and part != _KEY).upper()


def _required(location: Sequence[str | int], settings: type[BaseModel]) -> list[str]:
    """Returns the required variables of a missing section, or the missing variable."""
    model: object = settings
    for part in location:
        if isinstance(model, type) and issubclass(model, BaseModel):
            model = model.model_fields[str(part)].annotation
    if not (isinstance(model, type) and issubclass(model, BaseModel)):
        return [_variable(location)]
    return [_variable([*location, name]) for name, field in model.model_fields.items() if field.is_required()]
