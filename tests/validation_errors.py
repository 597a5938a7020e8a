"""The errors of a schema, without a server."""

from __future__ import annotations

import pytest
from pydantic import BaseModel, ValidationError


def refused(model: type[BaseModel], given: object) -> dict[str, str]:
    """The kinds of error by location, such as `documents/0/title`."""
    with pytest.raises(ValidationError) as refusal:
        model.model_validate(given)
    errors = refusal.value.errors(include_input=False, include_url=False)
    return {"/".join(map(str, each["loc"])): each["type"] for each in errors}
