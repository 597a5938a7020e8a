from __future__ import annotations

from uuid import uuid4

import pytest

from partywall.core.security.opaque_tokens import token_hash
from partywall.core.security.secrets import SecretKeeper
from partywall.features.accounts.refresh_tokens import Successors, new_token
from partywall.features.accounts.rotation import PresentedToken, Verdict, judge


@pytest.mark.parametrize(
    ("used", "fresh", "successor_waits", "session_lives", "verdict"),
    [
        (True, True, True, True, Verdict.REPEAT),
        (True, True, False, True, Verdict.REVOKE),
        (True, False, True, True, Verdict.REVOKE),
        (True, False, False, True, Verdict.REVOKE),
        (True, True, True, False, Verdict.REFUSE),
        (True, False, False, False, Verdict.REFUSE),
        (False, False, False, False, Verdict.REFUSE),
    ],
)
def test_only_the_immediate_predecessor_is_excused_and_only_for_a_moment(
    used: bool, fresh: bool, successor_waits: bool, session_lives: bool, verdict: Verdict
) -> None:
    assert judge(PresentedToken(uuid4(), used, fresh, successor_waits, session_lives)) is verdict


def test_a_successor_is_always_the_same_and_needs_the_servers_key() -> None:
    ours, others = (Successors(SecretKeeper(secret).signer("purpose")) for secret in ("one", "two"))
    token = new_token()
    assert ours.of(token) == ours.of(token)
    assert len({ours.of(token), others.of(token), ours.of(new_token()), ours.of(ours.of(token)), token}) == 5


def test_a_token_has_256_bits_and_its_hash_does_not_hold_it() -> None:
    tokens = {new_token() for _ in range(100)}
    assert len(tokens) == 100
    assert all(len(token.removeprefix("pwr_")) == 43 for token in tokens)
    assert len(token_hash(new_token())) == 32
