"""Keys derived from `SECRET_KEY`, to encrypt and to sign."""

from __future__ import annotations

import base64
import hashlib
import hmac

from cryptography.fernet import Fernet, InvalidToken
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF


class SecretKeeper:
    """Derives a separate key for each purpose from `SECRET_KEY`."""

    def __init__(self, secret: str) -> None:
        self._secret = secret.encode()
        self._signers: dict[str, Signer] = {}

    def derive(self, purpose: str) -> bytes:
        """32 bytes for this purpose only."""
        return HKDF(algorithm=SHA256(), length=32, salt=b"partywall", info=purpose.encode()).derive(self._secret)

    def box(self, purpose: str) -> SecretBox:
        return SecretBox(self.derive(purpose))

    def signer(self, purpose: str) -> Signer:
        if purpose not in self._signers:
            self._signers[purpose] = Signer(self.derive(purpose))
        return self._signers[purpose]


class SecretBox:
    """Encrypts secrets that must be readable again."""

    def __init__(self, key: bytes) -> None:
        self._fernet = Fernet(base64.urlsafe_b64encode(key))

    def seal(self, plain: bytes) -> bytes:
        return self._fernet.encrypt(plain)

    def open(self, sealed: bytes) -> bytes:
        """Decrypts; raises ValueError if the bytes were not sealed under this key."""
        try:
            return self._fernet.decrypt(sealed)
        except InvalidToken as error:
            raise ValueError("sealed under another key, or not at all") from error


class Signer:
    def __init__(self, key: bytes) -> None:
        self._key = key

    def sign(self, message: bytes) -> bytes:
        return hmac.digest(self._key, message, hashlib.sha256)

    def verify(self, message: bytes, signature: bytes) -> bool:
        """In constant time."""
        return hmac.compare_digest(self.sign(message), signature)
