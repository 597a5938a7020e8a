from __future__ import annotations

import base64
import binascii
import hmac
import secrets
from dataclasses import dataclass
from typing import Final

from partywall.core.security.opaque_tokens import token_text
from partywall.core.security.secrets import Signer

_PREFIX: Final = "pwr_"
_BYTES: Final = 32
_PROOF_BYTES: Final = 13
_LENGTH: Final = len(_PREFIX) + (_BYTES + _PROOF_BYTES) * 4 // 3
PURPOSE: Final = "refresh token successors"


@dataclass(frozen=True, slots=True)
class RefreshTokens:
    """Opaque secrets of 256 bits, and a proof that we made them: what we did not make is told from them unasked.

    The proof opens nothing. Whether a token is good the database says.
    """

    signer: Signer

    def new(self) -> str:
        return self._written(secrets.token_bytes(_BYTES))

    def successor(self, token: str) -> str:
        """The token that follows a token, always the same: two requests with one token get one answer."""
        return self._written(self.signer.sign(token.encode("utf-8", "replace")))

    def made(self, token: str) -> bool:
        """Whether it is one of ours."""
        if len(token) != _LENGTH or not token.startswith(_PREFIX) or not token.isascii():
            return False
        try:
            raw = base64.b64decode(token.removeprefix(_PREFIX), altchars=b"-_", validate=True)
        except binascii.Error:
            return False
        return hmac.compare_digest(raw[_BYTES:], self._proof(raw[:_BYTES]))

    def _written(self, secret: bytes) -> str:
        return _PREFIX + token_text(secret + self._proof(secret))

    def _proof(self, secret: bytes) -> bytes:
        # What successors are made of begins with the prefix, so that neither is ever taken for the other.
        return self.signer.sign(b"\0proof" + secret)[:_PROOF_BYTES]
