from __future__ import annotations

from collections.abc import Collection
from typing import Annotated

from pydantic import BaseModel, ConfigDict
from pydantic_settings import NoDecode

type CommaSeparated = Annotated[tuple[str, ...], NoDecode]


class Section(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


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
