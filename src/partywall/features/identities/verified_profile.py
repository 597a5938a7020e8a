"""What a provider says about a person, in the form that accounts have."""

from __future__ import annotations

from typing import Final

from pydantic import TypeAdapter, ValidationError

from partywall.core.schemas import Name
from partywall.features.accounts.email_address import normalised

_NAME: Final = TypeAdapter[str](Name)


def usable_address(address: str | None) -> str | None:
    """Normalised; None if accounts cannot have it."""
    if address is None:
        return None
    try:
        return normalised(address)
    except ValueError:
        return None


def usable_name(name: str | None) -> str | None:
    if name is None:
        return None
    try:
        return _NAME.validate_python(name)
    except ValidationError:
        return None
