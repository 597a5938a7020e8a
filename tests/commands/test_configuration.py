from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import pytest

from partywall.commands.configuration import load_settings
from partywall.commands.usage_error import UsageError
from partywall.settings import Settings

pytestmark = pytest.mark.usefixtures("bare")

SERVERS = {
    "DATABASE__ENGINE": "server",
    "DATABASE__URL": "postgresql://app:very-secret@db/partywall",
    "CACHE__ENGINE": "server",
    "CACHE__URL": "redis://cache",
}
FOREIGN = (
    "MAIL", "JOBS", "LOG", "DATABASE", "HTTP", "CACHE", "AGENTS", "SEARCH", "EVENTS", "ACCOUNTS", "QUOTAS", "BLOBS",
    "DATABASE_URL", "LOG_LEVEL", "MAIL_HOST", "HTTP_PROXY", "CACHE_URL", "ENV", "NODE_ENV", "ENVIRONMENT_NAME",
    "__CF_USER_TEXT_ENCODING", "__INTELLIJ_COMMAND_HISTFILE__", "_P9K__X", "npm_config__x", "npm_config__auth", "GIT__",
    "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN", "GITEA__LOG__LEVEL", "Logging__LogLevel__Default", "services__api__http__0",
    "PROJECT__NAME", "JOB__ID", "ACCOUNT__ID", "CACHES__DEFAULT", "QDRANT__SERVICE__HTTP_PORT", "BASH_FUNC_a__b%%",
    "PARTYWALL_SERVICE_HOST", "PARTYWALL_PORT_8000_TCP_ADDR", "PARTYWALL_APP_PASSWORD", "PARTYWALL_SERVER", "__", "a__",
)  # fmt: skip
MISSPELLED = (
    ("ACCOUNT__REGISTRATION", "ACCOUNTS__REGISTRATION"),
    ("ACCOUNTS__REGISTRATON", "ACCOUNTS__REGISTRATION"),
    ("accounts__registrations", "ACCOUNTS__REGISTRATION"),
    ("ACCOUNTS_REGISTRATION", "ACCOUNTS__REGISTRATION"),
    ("ACCOUNTS.REGISTRATION", "ACCOUNTS__REGISTRATION"),
    ("accounts-registration", "ACCOUNTS__REGISTRATION"),
    ("ACCOUNTS___REGISTRATION", "ACCOUNTS__REGISTRATION"),
    ("PARTYWALL_ACCOUNTS__REGISTRATION", "ACCOUNTS__REGISTRATION"),
    ("PARTYWALL__ACCOUNTS__REGISTRATION", "ACCOUNTS__REGISTRATION"),
    ("HTTP__REGISTRATION", "ACCOUNTS__REGISTRATION"),
    ("ACCOUNTS__REGISTRATION__MODE", "ACCOUNTS__REGISTRATION"),
    ("ENVIROMENT", "ENVIRONMENT"),
    ("DATABSE__POOL_SIZE", "DATABASE__POOL_SIZE"),
    ("DATABASE__URL__X", "DATABASE__URL"),
    ("LOGGING__LEVEL", "LOG__LEVEL"),
    ("QUOTA__DOCUMENTS", "QUOTAS__DOCUMENTS"),
    ("MAIL__LINK__VERIFICATION", "MAIL__LINKS__VERIFICATION"),
    ("AGENT__MODELS__ANSWER", "AGENTS__MODELS__ANSWER"),
    ("AGENTS__SERVERS__LAB__UR", "AGENTS__SERVERS__LAB__URL"),
    ("AGENTS__KEYS__OPENIA", "AGENTS__KEYS__OPENAI"),
    ("AGENTS__KEYS__OPENAI__KEY", "AGENTS__KEYS__OPENAI"),
    ("AGENTS__MODELS__ANSWER__NAME", "AGENTS__MODELS__ANSWER"),
)


def lines(monkeypatch: pytest.MonkeyPatch, **environment: str) -> list[str]:
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    with pytest.raises(UsageError) as refusal:
        load_settings()
    assert "very-secret" not in refusal.value.message
    assert refusal.value.exit_code == 2
    return refusal.value.message.splitlines()


def test_a_missing_setting_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    assert lines(monkeypatch) == ["DATABASE__ENGINE and CACHE__ENGINE are not set"]
    assert lines(monkeypatch, DATABASE__URL="postgresql://x") == ["DATABASE__ENGINE and CACHE__ENGINE are not set"]
    assert lines(monkeypatch, DATABASE__ENGINE="server") == ["CACHE__ENGINE is not set"]


def test_each_wrong_value_has_a_line_that_does_not_repeat_it(monkeypatch: pytest.MonkeyPatch) -> None:
    found = lines(
        monkeypatch,
        **SERVERS,
        DATABASE__POOL_SIZE="very-secret",
        ACCOUNTS__LOCKOUT="very-secret",
        LOG__LEVEL="loud",
    )
    assert sorted(each.partition(":")[0] for each in found) == [
        "ACCOUNTS__LOCKOUT",
        "DATABASE__POOL_SIZE",
        "LOG__LEVEL",
    ]


def test_a_rule_over_several_settings_has_its_own_message(monkeypatch: pytest.MonkeyPatch) -> None:
    [line] = lines(monkeypatch, **SERVERS, ENVIRONMENT="production")
    assert "SECRET_KEY" in line


def test_an_abbreviation_stays_as_it_is_written(monkeypatch: pytest.MonkeyPatch) -> None:
    [line] = lines(monkeypatch, **SERVERS, AGENTS__BASE_URL="ftp://x")
    assert line.startswith("AGENTS__BASE_URL: URL scheme should be")


def test_only_names_with_a_section_are_read(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Variables of a mail reader, make, a shell, a platform or another program have no effect."""
    monkeypatch.chdir(tmp_path)
    before = load_with(monkeypatch, SERVERS)
    (tmp_path / ".env").write_text("".join(f"{name}=nonsense\n" for name in FOREIGN if name.isidentifier()))
    assert load_with(monkeypatch, dict.fromkeys(FOREIGN, "nonsense")) == before


def load_with(monkeypatch: pytest.MonkeyPatch, variables: Mapping[str, str]) -> Settings:
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    return load_settings()


@pytest.mark.parametrize(("given", "meant"), MISSPELLED)
def test_a_misspelled_name_is_refused_with_the_nearest_right_one(
    monkeypatch: pytest.MonkeyPatch, given: str, meant: str
) -> None:
    [line] = lines(monkeypatch, **SERVERS, **{given: "very-secret"})
    assert line == f"{given.upper()} is not a setting: the nearest is {meant}"


@pytest.mark.parametrize(
    ("name", "value", "expected"),
    [
        (
            "AGENTS__KEYS",
            '{"openia": "very-secret"}',
            "AGENTS__KEYS__OPENIA is not a setting: the nearest is AGENTS__KEYS__OPENAI",
        ),
        (
            "MAIL__LINKS",
            '{"verificatio": "very-secret"}',
            "MAIL__LINKS__VERIFICATIO is not a setting: the nearest is MAIL__LINKS__VERIFICATION",
        ),
        (
            "AGENTS__SERVERS",
            '{"lab": {"ur": "very-secret"}}',
            "AGENTS__SERVERS__LAB__UR is not a setting: the nearest is AGENTS__SERVERS__LAB__URL",
        ),
        ("AGENTS__MODELS", "very-secret", "AGENTS__MODELS is not a setting by itself: set AGENTS__MODELS__NAME"),
        ("AGENTS__KEYS", "", "AGENTS__KEYS is not a setting by itself: set AGENTS__KEYS__OPENAI"),
        (
            "AGENTS__SERVERS__LAB",
            "[]",
            "AGENTS__SERVERS__LAB is not a setting by itself: set AGENTS__SERVERS__LAB__URL",
        ),
        ("MAIL__LINKS", "very-secret", "MAIL__LINKS is not a setting by itself: set MAIL__LINKS__INVITATION"),
    ],
)
def test_an_error_in_a_mapping_is_named_as_a_setting(
    monkeypatch: pytest.MonkeyPatch, name: str, value: str, expected: str
) -> None:
    assert expected in lines(monkeypatch, **SERVERS, **{name: value})


@pytest.mark.parametrize(
    "origin",
    [
        "https://app.example/", "https://App.example", "app.example", "https://", "https://a@b.example", "null", "*",
        "https://b.example:443", "http://b.example:80", "https://b.example:99999", "https://b.example:0",
        "https://ä.example", "https://b.example?x", "https://b c.example",
    ],
)  # fmt: skip
def test_an_origin_that_no_browser_sends_is_refused(monkeypatch: pytest.MonkeyPatch, origin: str) -> None:
    [line] = lines(monkeypatch, **SERVERS, HTTP__CORS_ORIGINS=f"https://a.example:8443,{origin}")
    assert line.startswith("HTTP__CORS_ORIGINS: must be origins such as https://app.example")


ANY_TEXT = ("", " ", "very-secret\nx", "very-secret\x1b[31m", " very-secret", "very-secret" * 2000, "very-secret\udcff")
ADDRESSES = (
    "http://user:very-secret@h/", "http://h/#very-secret", "http://h/?very-secret", "http://h:0/", "http://h:99999/",
    "http://h/ x", "ftp://h/", "http://", "h", "http://h\n/", f"http://{'x' * 64}/",
)  # fmt: skip
PATHS = ("http://h/very-secret", "x" * 256, "/x" * 3000)
HOSTS = ("very-secret:25", "a b", "smtp://h", "u@h", "a..b", "-a", "x" * 64, "[::1]", "/x")
KEYS = ("very secret", "schlüssel")
REFUSED = {
    "AGENTS__API_KEY": KEYS,
    "AGENTS__KEYS__OPENAI": KEYS,
    "EMBEDDINGS__API_KEY": KEYS,
    "EMBEDDINGS__MODEL": (),
    "EMBEDDINGS__URL": ADDRESSES,
    "AGENTS__BASE_URL": ADDRESSES,
    "AGENTS__SERVERS__LAB__URL": ADDRESSES,
    "HTTP__PUBLIC_URL": ADDRESSES,
    "AGENTS__MODEL": ("openai", "openai:", "openai:a b", "openai:very-secret\x1b"),
    "DATA_DIR": PATHS,
    "BLOBS__DIRECTORY": PATHS,
    "MAIL__DIRECTORY": PATHS,
    "HTTP__SPOOL_DIRECTORY": PATHS,
    "MAIL__CA_FILE": PATHS,
    "OUTGOING__CA_FILE": PATHS,
    "MAIL__HOST": HOSTS,
    "MAIL__FROM": ("very-secret", "a@b c", "http://u:very-secret@h/", "a@", "@b"),
    "MAIL__LINKS__INVITATION": (
        "https://{token}",
        "https://{token}/x",
        "https://u:very-secret@h/{token}",
        "https:///{token}",
    ),
    "MAIL__LINKS__VERIFICATION": (
        "https://h:0/{token}",
        "https://h/{token} x",
        "javascript:{token}",
        "https://h/\n{token}",
    ),
}


@pytest.mark.parametrize("name", REFUSED)
def test_an_impossible_value_is_refused_and_not_repeated(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    for value in (*ANY_TEXT, *REFUSED[name]):
        found = lines(monkeypatch, **SERVERS, **{name: value})
        assert [line.partition(":")[0].partition(" ")[0] for line in found] == [name], (value, found)


@pytest.mark.parametrize("name", ["AGENTS__MODEL", "AGENTS__MODELS__ANSWER"])
def test_a_model_without_a_provider_is_refused_in_words(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    for value in ("gpt-5", "Open AI:gpt-5", "openai:gpt 5", f"{'a' * 64}:m", "openai:gpt\u200b5"):
        [line] = lines(monkeypatch, **SERVERS, **{name: value})
        assert "must be PROVIDER:MODEL, such as openai:gpt-5" in line
        assert "pattern" not in line


@pytest.mark.parametrize("name", ["MAIL__USERNAME", "MAIL__PASSWORD"])
def test_an_empty_login_is_none(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    """Compose passes an empty string for what is left out."""
    mail = load_with(monkeypatch, {**SERVERS, name: ""}).mail
    assert (mail.username, mail.password) == (None, None)
    for value in ANY_TEXT[1:]:
        [line] = lines(monkeypatch, **SERVERS, **{name: value})
        assert line.startswith(f"{name}: ")


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("MAIL__HOST", "mail_1.example.com."),
        ("MAIL__HOST", "münchen.example"),
        ("MAIL__HOST", "::1"),
        ("MAIL__PASSWORD", "with blanks, ümlaut"),
        ("MAIL__FROM", "us@localhost"),
        ("MAIL__LINKS__INVITATION", "https://h.example:8443/#/join?t={token}"),
        ("AGENTS__BASE_URL", "http://[::1]:11434/v1"),
        ("EMBEDDINGS__URL", "https://münchen.example/v1"),
        ("DATA_DIR", "/srv/our data/größe"),
        ("AGENTS__MODULES", "our_agents.billing, other"),
        ("HTTP__CORS_ORIGINS", "*"),
    ],
)
def test_a_plausible_value_is_accepted(monkeypatch: pytest.MonkeyPatch, name: str, value: str) -> None:
    load_with(monkeypatch, {**SERVERS, name: value})


@pytest.mark.parametrize("modules", ["a b", "a-b", ".a", "a..b", "a/b.py"])
def test_a_module_needs_a_name(monkeypatch: pytest.MonkeyPatch, modules: str) -> None:
    [line] = lines(monkeypatch, **SERVERS, AGENTS__MODULES=modules)
    assert line.startswith("AGENTS__MODULES: must be names of Python modules")


def test_a_rule_over_a_section_names_its_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    [line] = lines(monkeypatch, **SERVERS, AGENTS__FALLBACKS="grok:very-secret")
    assert line.startswith("AGENTS__FALLBACKS names grok, which is none of")
    monkeypatch.delenv("AGENTS__FALLBACKS")
    [line] = lines(monkeypatch, EMBEDDINGS__ENGINE="openai")
    assert line.startswith("EMBEDDINGS__ENGINE=openai needs EMBEDDINGS__URL")


def test_values_win_over_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in (SERVERS | {"DATABASE__POOL_SIZE": "3"}).items():
        monkeypatch.setenv(name, value)
    settings = load_settings({"database": {"engine": "embedded"}})
    assert (settings.database.engine, settings.database.pool_size) == ("embedded", 3)
