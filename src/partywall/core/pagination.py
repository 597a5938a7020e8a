"""Cursors, which are sealed so that only this server can make them."""

from __future__ import annotations

import base64
import binascii
import hmac
from collections.abc import Sequence
from typing import Final

import orjson

from partywall.core.errors import ForeignCursorError
from partywall.core.security.secrets import Signer

# The most bytes of a page's items: a page of large items ends early.
PAGE_BYTES: Final = 1024 * 1024
_MAC_BYTES: Final = 16


class Cursors:
    """Opaque positions, signed together with their list: project, filters and sort."""

    def __init__(self, signer: Signer) -> None:
        self._signer = signer

    def encode(self, listing: Sequence[object], position: Sequence[str]) -> str:
        payload = orjson.dumps(list(position))
        return base64.urlsafe_b64encode(self._mac(listing, payload) + payload).rstrip(b"=").decode()

    def decode(self, listing: Sequence[object], cursor: str, length: int) -> list[str]:
        """The position; raises InvalidInputError for a cursor of another list, or an invalid one."""
        try:
            raw = base64.b64decode(cursor + "=" * (-len(cursor) % 4), altchars=b"-_", validate=True)
            mac, payload = raw[:_MAC_BYTES], raw[_MAC_BYTES:]
            if not hmac.compare_digest(mac, self._mac(listing, payload)):
                raise ValueError("forged")
            position = orjson.loads(payload)
        except (ValueError, binascii.Error, UnicodeError) as error:
            raise ForeignCursorError from error
        if len(position) != length:
            raise ForeignCursorError
        return [str(part) for part in position]

    def _mac(self, listing: Sequence[object], payload: bytes) -> bytes:
        message = orjson.dumps([str(part) for part in listing]) + b"\0" + payload
        return self._signer.sign(message)[:_MAC_BYTES]
