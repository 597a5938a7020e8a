from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Annotated, Final

from dotenv import dotenv_values
from pydantic import BaseModel, ConfigDict
from pydantic_settings import BaseSettings, EnvSettingsSource, NoDecode, PydanticBaseSettingsSource, SettingsConfigDict

DOTENV_FILE: Final = ".env"
# Says that the variables of that file have been inherited already, by a process that may not read it.
DOTENV: Final = "PARTYWALL_DOTENV"
DOTENV_INHERITED: Final = "inherited"

type CommaSeparated = Annotated[tuple[str, ...], NoDecode]


class Section(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class FromEnvironment(BaseSettings):
    """Read from the environment, and behind it from `.env`."""

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
        if env_settings.env_vars.get(DOTENV.lower()) == DOTENV_INHERITED:
            return init_settings, env_settings, file_secret_settings
        return init_settings, env_settings, dotenv_settings, file_secret_settings


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
