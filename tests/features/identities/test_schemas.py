from __future__ import annotations

import pytest
from pydantic import ValidationError

from partywall.features.identities.schemas import LoginAnswer, LoginStart, Redemption

CHALLENGE = "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM"


@pytest.mark.parametrize("verifier", ["a" * 42, "a" * 129, "a" * 43 + "\n", "a" * 42 + "+", "ä" * 43])
def test_a_verifier_has_the_form_of_the_rfc(verifier: str) -> None:
    with pytest.raises(ValidationError):
        Redemption(code="code", code_verifier=verifier)


def test_a_redemption_refuses_unknown_fields() -> None:
    body = {"code": "code", "code_verifier": "a" * 43, "state": "x"}
    with pytest.raises(ValidationError):
        Redemption.model_validate(body)


def test_the_clients_state_is_short() -> None:
    with pytest.raises(ValidationError):
        LoginStart(return_to="https://a/", code_challenge=CHALLENGE, state="x" * 201)


def test_parameters_of_providers_are_ignored() -> None:
    answer = LoginAnswer.model_validate({"code": "a", "session_state": "b", "scope": "openid"})
    assert (answer.code, answer.state, answer.iss, answer.error) == ("a", None, None, None)
