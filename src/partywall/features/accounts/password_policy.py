"""Which passwords are refused although they are long enough. There are no rules of composition (NIST SP 800-63B)."""

from __future__ import annotations

from typing import Final

from partywall.core.errors import InvalidInputError
from partywall.core.field_errors import FieldCode
from partywall.core.security.common_passwords import folded

COMMON: Final = "This password is on a list of passwords that are often used: choose another one"
LIKE_ADDRESS: Final = "The password may not be the address, or what stands before its @"


def is_like(password: str, address: str) -> bool:
    """Whether the password is the address or its local part."""
    return folded(password) in (folded(address), folded(address.rpartition("@")[0]))


def require_unlike(password: str, address: str, pointer: str) -> None:
    """Raises InvalidInputError if the password is the address or its local part."""
    if is_like(password, address):
        raise InvalidInputError(pointer, FieldCode.EASILY_GUESSED, LIKE_ADDRESS)
