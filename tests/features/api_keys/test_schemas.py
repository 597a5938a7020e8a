from __future__ import annotations

from datetime import UTC, datetime

import pytest

from partywall.features.api_keys.schemas import ApiKeyCreate
from tests.validation_errors import refused

KEY = {"name": "Nightly import", "role": "editor"}


@pytest.mark.parametrize("role", ["owner", "service", "Editor", "", None, ["editor"]])
def test_a_key_is_no_owner_and_no_service(role: object) -> None:
    assert refused(ApiKeyCreate, {**KEY, "role": role}) == {"role": "literal_error"}


@pytest.mark.parametrize("written", ["2027-01-31T12:00:00", "2027-01-31", 1_800_000_000, "1800000000", True])
def test_when_it_expires_is_an_instant_with_an_offset(written: object) -> None:
    assert refused(ApiKeyCreate, {**KEY, "expires_at": written}) == {"expires_at": "not_rfc3339"}


def test_when_it_expires_is_a_day_of_the_calendar() -> None:
    assert list(refused(ApiKeyCreate, {**KEY, "expires_at": "2027-02-30T12:00:00Z"})) == ["expires_at"]
    early = "0001-01-01T00:00:00+01:00"
    assert refused(ApiKeyCreate, {**KEY, "expires_at": early}) == {"expires_at": "instant_out_of_range"}


def test_an_instant_is_kept_in_utc() -> None:
    wanted = ApiKeyCreate.model_validate({**KEY, "expires_at": "2027-01-01T01:30:00+02:00"})
    assert wanted.expires_at == datetime(2026, 12, 31, 23, 30, tzinfo=UTC)
    assert wanted.expires_at.tzinfo is UTC


def test_a_client_sets_no_secret() -> None:
    assert refused(ApiKeyCreate, {**KEY, "secret": "pw_mine"}) == {"secret": "extra_forbidden"}
