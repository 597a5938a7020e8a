from __future__ import annotations

import re
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
PRODUCTION = {"environment": "production", "secret_key": STRONG}
CHOSEN = {"accounts": {"registration": "invite"}, "http": {"trusted_proxies": "none"}}
SMTP = {"engine": "smtp", "host": "mail.example.com", "from": "Us <us@example.com>"}


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
        ({"environment": "production", "secret_key": STRONG}, "MAIL__ENGINE=smtp"),
        ({"mail": {"engine": "smtp", "host": "mail.example.com"}}, "MAIL__FROM"),
        ({"mail": {"engine": "smtp", "from": "a@example.com"}}, "MAIL__HOST"),
        ({**PRODUCTION, "mail": {**SMTP, "security": "none"}}, "MAIL__SECURITY"),
        ({**PRODUCTION, **CHOSEN, "mail": SMTP, "accounts": {"lockout": "PT5M"}}, "ACCOUNTS__REGISTRATION to open"),
        ({**PRODUCTION, **CHOSEN, "mail": SMTP, "http": {"docs": False}}, "HTTP__TRUSTED_PROXIES"),
        ({**PRODUCTION, **CHOSEN, "mail": SMTP, "http": {"trusted_proxies": ""}}, "HTTP__TRUSTED_PROXIES"),
        ({"http": {"trusted_proxies": "none,10.0.0.1"}}, "none"),
        ({"http": {"trusted_proxies": "10.0.0.1,::/0"}}, "::/0 would trust every client"),
        ({"mail": {"from": "a@example.com, b@example.com"}}, "LOCAL@DOMAIN"),
        ({"mail": {"from": "a@example.com\nBcc: b@example.com"}}, "LOCAL@DOMAIN"),
        ({"mail": {"links": {"verification": "https://example.com/"}}}, "{token}"),
        ({"agents": {"model": "grok:x"}}, "AGENTS__SERVERS__GROK__URL"),
        ({"agents": {"models": {"answer": "grok:x"}}}, "AGENTS__SERVERS__GROK__URL"),
        ({"agents": {"model": "openai:x"}}, "AGENTS__KEYS__OPENAI"),
        ({"agents": {"model": "anthropic:x", "base_url": "http://model.test/v1"}}, "AGENTS__KEYS__ANTHROPIC"),
        ({"agents": {"model": "ollama:x"}}, "AGENTS__BASE_URL or AGENTS__SERVERS__OLLAMA__URL"),
        ({"agents": {"model": "openai:x", "api_key": STRONG, "fallbacks": "anthropic:y"}}, "AGENTS__KEYS__ANTHROPIC"),
        ({"database": {"engine": "server"}}, "DATABASE__URL"),
        ({"cache": {"engine": "server"}}, "CACHE__URL"),
    ],
)
def test_an_error_names_the_setting(changed: dict[str, object], names: str) -> None:
    with pytest.raises(ValidationError, match=re.escape(names)) as refusal:
        Settings.model_validate({**SERVERS, **changed})
    assert STRONG not in str(refusal.value)


def test_the_engines_have_no_default() -> None:
    with pytest.raises(ValidationError) as refusal:
        Settings.model_validate({})
    assert {error["loc"][0] for error in refusal.value.errors()} == {"database", "cache"}


def test_production_is_closed_where_development_is_open() -> None:
    production = Settings.model_validate({**SERVERS, **PRODUCTION, **CHOSEN, "mail": SMTP})
    development = Settings.model_validate(SERVERS)
    assert (production.serves_docs, production.verification_required) == (False, True)
    assert (development.serves_docs, development.verification_required) == (True, False)


def test_that_no_proxy_is_trusted_can_be_chosen() -> None:
    chosen = Settings.model_validate({**SERVERS, **PRODUCTION, **CHOSEN, "mail": SMTP})
    assert chosen.http.trusted_proxies == ()
    assert chosen.accounts.registration == "invite"


def test_secrets_do_not_show(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SECRET_KEY", STRONG)
    settings = Settings.model_validate(SERVERS)
    assert STRONG not in repr(settings)
    assert "pw@" not in repr(settings)


@pytest.mark.parametrize(
    "mail",
    [{"engine": "directory"}, SMTP, {**SMTP, "host": "127.0.0.1", "security": "none"}, {**SMTP, "security": "tls"}],
)
def test_production_sends_mail_encrypted_or_within_the_machine(mail: dict[str, str]) -> None:
    chosen = Settings.model_validate({**SERVERS, **PRODUCTION, **CHOSEN, "mail": mail})
    assert chosen.mail.engine == mail["engine"]


def test_mail_is_set_by_variables(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in {
        "MAIL__ENGINE": "smtp",
        "MAIL__HOST": "mail.example.com",
        "MAIL__FROM": "Jörg <joerg@exämple.com>",
        "MAIL__PASSWORD": STRONG,
        "MAIL__TIMEOUT": "PT5S",
        "MAIL__LINKS__INVITATION": "https://example.com/join#{token}",
    }.items():
        monkeypatch.setenv(name, value)
    mail = Settings.model_validate(SERVERS).mail
    assert (mail.sender, mail.security, mail.timeout.seconds) == ("Jörg <joerg@exämple.com>", "starttls", 5)
    assert mail.links.invitation == "https://example.com/join#{token}"
    assert STRONG not in repr(mail)


def test_settings_are_read_from_their_own_dump() -> None:
    settings = Settings.model_validate({**SERVERS, "mail": SMTP})
    assert Settings.model_validate(settings.model_dump()) == settings


def test_lists_are_separated_by_commas(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTP__CORS_ORIGINS", "https://a.example, https://b.example")
    assert Settings.model_validate(SERVERS).http.cors_origins == ("https://a.example", "https://b.example")


def test_a_development_secret_is_made_once_and_is_private(tmp_path: Path) -> None:
    settings = Settings.model_validate({**SERVERS, "data_dir": tmp_path / "data"})
    first = secret_key(settings)
    assert secret_key(settings) == first
    assert len(first) >= 43
    assert ((tmp_path / "data" / "secret.key").stat().st_mode & 0o777) == 0o600
    assert {path.name for path in (tmp_path / "data").iterdir()} == {".gitignore", "secret.key"}


def test_model_servers_can_be_configured(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in {
        "AGENTS__MODEL": "lab:qwen3",
        "AGENTS__MODELS__DRAFT": "anthropic:claude",
        "AGENTS__FALLBACKS": "ollama:qwen3, openai:gpt",
        "AGENTS__SERVERS__LAB__URL": "http://lab.test/v1",
        "AGENTS__SERVERS__LAB__API_KEY": STRONG,
        "AGENTS__SERVERS__OLLAMA__URL": "http://127.0.0.1:11434/v1",
        "AGENTS__KEYS__ANTHROPIC": STRONG,
        "AGENTS__KEYS__OPENAI": STRONG,
    }.items():
        monkeypatch.setenv(name, value)
    agents = Settings.model_validate(SERVERS).agents
    assert list(agents.named) == ["lab:qwen3", "anthropic:claude", "ollama:qwen3", "openai:gpt"]
    assert str(agents.servers["lab"].url) == "http://lab.test/v1"
    assert agents.servers["ollama"].api_key is None
    assert STRONG not in repr(agents)


@pytest.mark.parametrize(
    ("given", "found"), [("unlimited", None), ("Unlimited", None), ("7", 7), ("0", 0), (None, 100_000)]
)
def test_a_quota_is_a_number_or_unlimited(monkeypatch: pytest.MonkeyPatch, given: str | None, found: object) -> None:
    if given is not None:
        monkeypatch.setenv("QUOTAS__DOCUMENTS", given)
    assert Settings.model_validate(SERVERS).quotas.limits["documents"] == found


@pytest.mark.parametrize(
    ("quota", "given"),
    [
        ("DOCUMENTS", "-1"), ("DOCUMENTS", "many"), ("DOCUMENTS", "1.5"), ("BYTES", "1e30"), ("SPENDING", "NaN"),
        ("SPENDING", "-0.01"), ("VERSIONS_PER_DOCUMENT", "0"), ("MEMBERS", "0"), ("PROJECTS", ""),
    ],
)  # fmt: skip
def test_an_invalid_quota_is_refused(monkeypatch: pytest.MonkeyPatch, quota: str, given: str) -> None:
    monkeypatch.setenv(f"QUOTAS__{quota}", given)
    with pytest.raises(ValidationError):
        Settings.model_validate(SERVERS)
