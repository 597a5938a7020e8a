from __future__ import annotations

import pytest

from partywall.core.security.secrets import SecretKeeper

KEEPER = SecretKeeper("a secret that is long enough for a test")


def test_each_purpose_has_its_own_key() -> None:
    assert KEEPER.derive("one") == KEEPER.derive("one")
    assert len({KEEPER.derive("one"), KEEPER.derive("other"), SecretKeeper("else").derive("one")}) == 3
    assert not KEEPER.signer("one").verify(b"message", KEEPER.signer("other").sign(b"message"))


def test_a_signature_holds_for_its_message_alone() -> None:
    signer = KEEPER.signer("one")
    signature = signer.sign(b"message")
    assert signer.verify(b"message", signature)
    assert not signer.verify(b"massage", signature)
    assert not signer.verify(b"message", signature[:-1])


def test_only_the_same_key_opens_a_sealed_value() -> None:
    sealed = KEEPER.box("one").seal(b"secret")
    assert b"secret" not in sealed
    assert KEEPER.box("one").open(sealed) == b"secret"
    for box, bytes_ in [(KEEPER.box("other"), sealed), (KEEPER.box("one"), sealed[:-1]), (KEEPER.box("one"), b"")]:
        with pytest.raises(ValueError, match="sealed"):
            box.open(bytes_)
