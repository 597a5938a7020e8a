from __future__ import annotations

from pydantic import Field, field_validator, model_validator

from partywall.settings.base import CommaSeparated, Section, split_lists


class FeatureSettings(Section):
    enabled: CommaSeparated = Field(default=(), description="Features to switch on besides those that are always on.")

    @model_validator(mode="before")
    @classmethod
    def _split(cls, values: object) -> object:
        return split_lists(values, {"enabled"})

    @field_validator("enabled")
    @classmethod
    def _names(cls, values: tuple[str, ...]) -> tuple[str, ...]:
        if not all(value.isidentifier() and value.islower() and value.isascii() for value in values):
            raise ValueError("must be names of features, such as orders,payments, separated by commas")
        return tuple(dict.fromkeys(values))
