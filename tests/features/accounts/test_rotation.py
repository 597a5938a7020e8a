from __future__ import annotations

from uuid import uuid4

import pytest

from partywall.core.security.opaque_tokens import token_hash
from partywall.core.security.secrets import SecretKeeper
from partywall.features.accounts.refresh_tokens import RefreshTokens
from partywall.features.accounts.rotation import PresentedToken, Verdict, classify


@pytest.mark.parametrize(
    ("used", "successor_waits", "session_lives", "verdict"),
    [
        (True, True, True, Verdict.REPEAT),
        (True, False, True, Verdict.REVOKE),
        (True, True, False, Verdict.REFUSE),
        (True, False, False, Verdict.REFUSE),
        (False, False, False, Verdict.REFUSE),
    ],
)
def test_only_the_immediate_predecessor_is_excused(
    used: bool, successor_waits: bool, session_lives: bool, verdict: Verdict
) -> None:
    assert classify(PresentedToken(uuid4(), used, successor_waits, session_lives)) is verdict


def of(secret: str) -> RefreshTokens:
    return RefreshTokens(SecretKeeper(secret).signer("purpose"))


def test_a_successor_is_always_the_same_and_needs_the_servers_key() -> None:
    ours, others = of("one"), of("two")
    token = ours.new()
    after = ours.successor(token)
    assert after == ours.successor(token)
    assert len({after, others.successor(token), ours.successor(ours.new()), ours.successor(after), token}) == 5


def test_a_token_has_256_bits_and_its_hash_does_not_hold_it() -> None:
    ours = of("one")
    tokens = {ours.new() for _ in range(100)}
    assert len(tokens) == 100
    assert all(len(token.removeprefix("pwr_")) == 60 for token in tokens)
    assert len(token_hash(ours.new())) == 32


def test_a_forged_token_is_recognised_without_the_database() -> None:
    ours, others = of("one"), of("two")
    token = ours.new()
    assert ours.made(token)
    assert ours.made(ours.successor(token))
    last = "A" if token[-1] != "A" else "B"
    strange = ["", "pwr_", "pwr_" + "A" * 43, "pwr_" + "A" * 60, "pwr_" + "ä" * 60, "\0" * 64, token[:-1] + last,
               token + "A", token.replace("pwr_", "pwv_"), f" {token[1:]}", "pwr_" + "=" * 60]  # fmt: skip
    assert not any(ours.made(each) for each in [*strange, others.new(), others.successor(token)])
