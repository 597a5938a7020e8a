from __future__ import annotations

from pathlib import Path

import pytest
from pydantic import ValidationError

from partywall.secret_key import secret_key
from partywall.settings import Settings

STRONG = "0123456789abcdefghijklmnopqrstuvwxyz"
SERVERS = {
    "database": {"engine": "server", "url": "postgresql://app:pw@db/partywall"},
    "cache": {"engine": "server", "url": "redis://cache"},
}


@pytest.fixture(autouse=True)
def bare(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)


@pytest.mark.parametrize(
    ("changed", "names"),
    [
        ({"environment": "production"}, "SECRET_KEY"),
        ({"environment": "production", "secret_key": "changethis"}, "SECRET_KEY"),
        ({"environment": "production", "secret_key": "a" * 40}, "SECRET_KEY"),
        (
            {"environment": "production", "secret_key": STRONG, "database": {"engine": "embedded"}},
            "DATABASE__ENGINE=server",
        ),
        ({"environment": "production", "secret_key": STRONG, "cache": {"engine": "embedded"}}, "CACHE__ENGINE=server"),
        ({"database": {"engine": "server"}}, "DATABASE__URL"),
        ({"cache": {"engine": "server"}}, "CACHE__URL"),
    ],
)
def test_a_refusal_names_the_setting_to_set(changed: dict[str, object], names: str) -> None:
    with pytest.raises(ValidationError, match=names) as refusal:
        Settings.model_validate({**SERVERS, **changed})
    assert STRONG not in str(refusal.value)


def test_the_engines_have_no_default() -> None:
    with pytest.raises(ValidationError) as refusal:
        Settings.model_validate({})
    assert {error["loc"][0] for error in refusal.value.errors()} == {"database", "cache"}


def test_production_is_closed_where_development_is_open() -> None:
    production = Settings.model_validate({**SERVERS, "environment": "production", "secret_key": STRONG})
    development = Settings.model_validate(SERVERS)
    assert (production.serves_docs, production.verification_required) == (False, True)
    assert (development.serves_docs, development.verification_required) == (True, False)


def test_secrets_do_not_show(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SECRET_KEY", STRONG)
    settings = Settings.model_validate(SERVERS)
    assert STRONG not in repr(settings)
    assert "pw@" not in repr(settings)


def test_lists_are_separated_by_commas(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTP__CORS_ORIGINS", "https://a.example, https://b.example")
    assert Settings.model_validate(SERVERS).http.cors_origins == ("https://a.example", "https://b.example")


def test_a_development_secret_is_made_once_and_is_private(tmp_path: Path) -> None:
    settings = Settings.model_validate({**SERVERS, "data_dir": tmp_path / "data"})
    first = secret_key(settings)
    assert secret_key(settings) == first
    assert len(first) >= 43
    assert ((tmp_path / "data" / "secret.key").stat().st_mode & 0o777) == 0o600
    assert [path.name for path in (tmp_path / "data").iterdir()] == ["secret.key"]
