from __future__ import annotations

import secrets
from dataclasses import dataclass
from typing import Final

from partywall.core.security.opaque_tokens import token_text
from partywall.core.security.secrets import Signer

_PREFIX: Final = "pwr_"
_BYTES: Final = 32
PURPOSE: Final = "refresh token successors"


def new_token() -> str:
    """An opaque secret of 256 bits."""
    return _PREFIX + token_text(secrets.token_bytes(_BYTES))


@dataclass(frozen=True, slots=True)
class Successors:
    """The token that follows a token, always the same: two requests with one token get one answer."""

    signer: Signer

    def of(self, token: str) -> str:
        return _PREFIX + token_text(self.signer.sign(token.encode("utf-8", "replace")))
