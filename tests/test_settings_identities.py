from __future__ import annotations

import pytest
from pydantic import ValidationError

from partywall.adapter_options import open_identity_providers
from partywall.core.outgoing.endpoints import shared_tls
from partywall.settings import IdentitySettings

CLIENT = {"client_id": "a", "client_secret": "b"}
PAGE = "https://app.example.com/signed-in"


def settings(**values: object) -> IdentitySettings:
    return IdentitySettings.model_validate({"return_addresses": PAGE, **values})


async def test_presets_follow_from_names() -> None:
    wanted = settings(
        providers={"github": CLIENT, "google": CLIENT, "microsoft": CLIENT, "work": {**CLIENT, "preset": "microsoft"}}
    )
    async with open_identity_providers(wanted, shared_tls(None)) as providers:
        assert list(providers.names) == ["github", "google", "microsoft", "work"]
        assert providers.find("other") is None


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ({"providers": {"company": CLIENT}}, "IDENTITIES__PROVIDERS__COMPANY__DISCOVERY_URL"),
        ({"providers": {"github": {"client_id": "a"}}}, "IDENTITIES__PROVIDERS__GITHUB__CLIENT_SECRET"),
        ({"providers": {"google": CLIENT}, "return_addresses": ""}, "IDENTITIES__RETURN_ADDRESSES"),
        ({"providers": {"Google": CLIENT}}, "pattern"),
        ({"providers": {"supabase": CLIENT}}, "tokens of Supabase"),
        ({"providers": {"a/b": CLIENT}}, "pattern"),
        ({"providers": {"microsoft": {**CLIENT, "tenant": "../x"}}}, "tenant"),
        ({"return_addresses": "app.example.com"}, "must be addresses"),
        ({"return_addresses": "https://app.example.com/#a"}, "without blanks or #"),
        ({"return_addresses": "https://me@app.example.com/"}, "user name"),
        ({"allowed_networks": "10.0.0.0/33"}, "allowed_networks"),
    ],
    ids=str,
)
def test_wrong_settings_are_named(values: dict[str, object], said: str) -> None:
    with pytest.raises(ValidationError, match=said):
        settings(**values)
