from __future__ import annotations

import base64
import hashlib
import secrets
from dataclasses import dataclass
from typing import Final

from partywall.core.security.secrets import Signer

_PREFIX: Final = "pwr_"
_BYTES: Final = 32
PURPOSE: Final = "refresh token successors"


def new_token() -> str:
    """An opaque secret of 256 bits."""
    return _PREFIX + _text(secrets.token_bytes(_BYTES))


def token_hash(token: str) -> bytes:
    """What is stored of a token; one of 256 random bits needs no slow hash."""
    return hashlib.sha256(token.encode("utf-8", "replace")).digest()


@dataclass(frozen=True, slots=True)
class Successors:
    """The token that follows a token, always the same: two requests with one token get one answer."""

    signer: Signer

    def of(self, token: str) -> str:
        return _PREFIX + _text(self.signer.sign(token.encode("utf-8", "replace")))


def _text(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()
