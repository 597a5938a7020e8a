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
    """Opaque 256-bit secrets with a MAC, so that made-up tokens are recognised without the database.

    The MAC grants nothing. Only the database decides whether a token is valid.
    """

    signer: Signer

    def new(self) -> str:
        return self._written(secrets.token_bytes(_BYTES))

    def successor(self, token: str) -> str:
        """The token that replaces `token`. It is derived, so that two requests with one token get the same answer."""
        return self._written(self.signer.sign(token.encode("utf-8", "replace")))

    def made(self, token: str) -> bool:
        """Whether this server made the token."""
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
        # Input for successors begins with the token prefix, so the two kinds of input never collide.
        return self.signer.sign(b"\0proof" + secret)[:_PROOF_BYTES]
