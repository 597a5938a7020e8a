from __future__ import annotations

import os
from collections.abc import Collection, Iterable, Mapping
from datetime import timedelta
from typing import Annotated, Final

from pydantic import BaseModel, ConfigDict
from pydantic_settings import (
    BaseSettings,
    EnvSettingsSource,
    NoDecode,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
    SettingsError,
)

from partywall.settings.dotenv import read_dotenv
from partywall.settings.names import read_names, whole_sections

# Set for processes that may not read `.env` and inherit its variables instead.
DOTENV: Final = "PARTYWALL_DOTENV"
DOTENV_INHERITED: Final = "inherited"

# Units for bounds: every number and duration has a minimum and a maximum (`tests/test_settings_bounds.py`).
MILLISECOND: Final = timedelta(milliseconds=1)
SECOND: Final = timedelta(seconds=1)
MINUTE: Final = timedelta(minutes=1)
HOUR: Final = timedelta(hours=1)
DAY: Final = timedelta(days=1)
YEAR: Final = timedelta(days=365)
KIB: Final = 1024
MIB: Final = 1024 * KIB
GIB: Final = 1024 * MIB
TIB: Final = 1024 * GIB

type CommaSeparated = Annotated[tuple[str, ...], NoDecode]


class Section(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class FromEnvironment(BaseSettings):
    """Reads the environment, then `.env`; ignores variables that are not settings."""

    model_config = SettingsConfigDict(env_nested_delimiter="__", extra="ignore", hide_input_in_errors=True)

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],  # noqa: ARG003 - given by name
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        assert isinstance(env_settings, EnvSettingsSource)
        assert isinstance(dotenv_settings, EnvSettingsSource)
        inherited = env_settings.env_vars.get(DOTENV.lower()) == DOTENV_INHERITED
        cls._check_spellings(os.environ)
        sources: list[EnvSettingsSource] = [env_settings]
        if not inherited:
            found = read_dotenv(lambda name, value: any(read_names({name: value}, cls)))
            dotenv_settings.env_vars = {name.lower(): value for name, value in found.items()}
            sources.append(dotenv_settings)
        variables = {name: value for source in reversed(sources) for name, value in source.env_vars.items()}
        for source in sources:
            cls.check_names(source.env_vars, variables)
            source.env_vars = {name: source.env_vars[name] for name in read_names(source.env_vars, cls)}
            cls.check_sections(source.env_vars)
        return init_settings, *sources, file_secret_settings

    @classmethod
    def _check_spellings(cls, environment: Mapping[str, str]) -> None:
        """Raises SettingsError if a setting is set in upper and lower case to different values."""
        first: dict[str, str] = {}
        for name in read_names(environment, cls):
            other = first.setdefault(name.upper(), name)
            if environment[other] != environment[name]:
                raise SettingsError(f"{other} and {name} are one setting, and are set to different values")

    @classmethod
    def check_names(cls, names: Iterable[str], variables: Mapping[str, str | None]) -> None:
        """Raises SettingsError for names that look like settings but are not; `variables` are those of all sources."""

    @classmethod
    def check_sections(cls, variables: Mapping[str, str | None]) -> None:
        """Raises SettingsError for a whole section that is not given as JSON."""
        if lines := list(whole_sections(variables, cls)):
            raise SettingsError("\n".join(lines))


def inheritable(environment: Mapping[str, str]) -> dict[str, str]:
    """The environment with the variables of `.env`, for processes that cannot read it."""
    file = read_dotenv(lambda _name, _value: False)
    found = {name.upper(): value for name, value in file.items() if value is not None}
    named = {name.upper() for name in environment}
    return {**{name: value for name, value in found.items() if name not in named}, **environment}


def split_lists(values: object, names: Collection[str]) -> object:
    """Splits the comma-separated fields `names` of a section into tuples."""
    if not isinstance(values, dict):
        return values
    return {
        key: tuple(part.strip() for part in value.split(",") if part.strip())
        if key in names and isinstance(value, str)
        else value
        for key, value in values.items()
    }
