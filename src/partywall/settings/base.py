from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from datetime import timedelta
from pathlib import Path
from typing import Annotated, Final

from dotenv import dotenv_values
from dotenv.parser import parse_stream
from pydantic import BaseModel, ConfigDict
from pydantic_settings import (
    BaseSettings,
    EnvSettingsSource,
    NoDecode,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
    SettingsError,
)

from partywall.settings.names import read_names, whole_sections

DOTENV_FILE: Final = ".env"
# Says that the variables of that file have been inherited already, by a process that may not read it.
DOTENV: Final = "PARTYWALL_DOTENV"
DOTENV_INHERITED: Final = "inherited"

# What bounds are made of: every number and every duration has a least and a most (`tests/test_settings_bounds.py`).
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
    """Read from the environment, and behind it from `.env`; of either only what is a setting."""

    model_config = SettingsConfigDict(
        env_nested_delimiter="__", env_file=DOTENV_FILE, extra="ignore", hide_input_in_errors=True
    )

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
        sources = [env_settings] if inherited else [env_settings, dotenv_settings]
        if not inherited:
            _require_lines(Path(DOTENV_FILE))
        for source in sources:
            cls.check_names(source.env_vars)
            source.env_vars = {name: source.env_vars[name] for name in read_names(source.env_vars, cls)}
            cls.check_sections(source.env_vars)
        return init_settings, *sources, file_secret_settings

    @classmethod
    def check_names(cls, names: Iterable[str]) -> None:
        """Raises SettingsError for names that are not settings and look like one."""

    @classmethod
    def check_sections(cls, variables: Mapping[str, str | None]) -> None:
        """Raises SettingsError for a section as a whole that is not given as JSON."""
        if lines := list(whole_sections(variables, cls)):
            raise SettingsError("\n".join(lines))


def _require_lines(file: Path) -> None:
    """Raises SettingsError for a line that would be passed over, and with it what it was to set."""
    if not file.is_file():
        return
    with file.open(encoding="utf-8") as stream:
        for each in parse_stream(stream):
            if each.error:
                raise SettingsError(f"{file}: line {each.original.line} is no NAME=value")


def inheritable(environment: Mapping[str, str]) -> dict[str, str]:
    """The environment with the variables of `.env`, for processes that cannot read it."""
    found = {name.upper(): value for name, value in dotenv_values(DOTENV_FILE).items() if value is not None}
    named = {name.upper() for name in environment}
    return {**{name: value for name, value in found.items() if name not in named}, **environment}


def split_lists(values: object, names: Collection[str]) -> object:
    """A section's fields that are lists, from text with commas."""
    if not isinstance(values, dict):
        return values
    return {
        key: tuple(part.strip() for part in value.split(",") if part.strip())
        if key in names and isinstance(value, str)
        else value
        for key, value in values.items()
    }
