"""What `partywall serve` refuses before it creates or starts anything."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from partywall.adapters.embedded.postgres import CONNECTIONS
from partywall.cli import run
from partywall.settings import CacheSettings, DatabaseSettings, Settings
from partywall.supervisor.options import ServeOptions
from tests.command_line import run_here

MAX_WAIT = 60.0


@pytest.mark.parametrize(
    ("changed", "names"),
    [
        ({"ENVIRONMENT": "production"}, "production"),
        ({"SECRET_KEY": "changethis"}, "SECRET_KEY"),
        ({"DATABASE__POOL_SIZE": "very-secret"}, "DATABASE__POOL_SIZE"),
        ({"MAIL__ENGINE": "pigeon"}, "MAIL__ENGINE"),
        ({"EMBEDDINGS__ENGINE": "openai"}, "EMBEDDINGS__URL"),
        ({"OUTGOING__CA_FILE": "/nonexistent"}, "OUTGOING__CA_FILE: /nonexistent: no such file"),
        ({"MAIL__CA_FILE": "/etc/passwd"}, "MAIL__CA_FILE: /etc/passwd: contains no PEM certificates"),
        ({"FILES__OCR": "true", "PATH": "/nonexistent"}, "FILES__OCR: tesseract is not installed"),
        ({"BLOBS__DIRECTORY": "/etc/passwd/blobs"}, "BLOBS__DIRECTORY: /etc/passwd: not a directory"),
    ],
)
def test_bad_settings_are_one_line_and_leave_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, changed: dict[str, str], names: str
) -> None:
    monkeypatch.setattr("partywall.commands.serve.execute", lambda _: pytest.fail("it replaces this process"))
    done = run_here("serve", "--data-dir", "data", cwd=tmp_path, environment=changed)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith("partywall: ")
    assert names in done.stderr
    assert done.stderr.count("\n") == 1
    assert "very-secret" not in done.stderr
    assert list(tmp_path.iterdir()) == []


FEATURE = """
print("imported")
from partywall.api import Feature, JobKind, ProjectJobPayload, handles, lazy
feature = Feature(
    name="orders", jobs=(handles(JobKind("orders.remind", ProjectJobPayload), lazy("orders_work:remind")),),
)
"""


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (FEATURE, "the feature orders names orders_work:remind, which cannot be imported: No module"),
        (
            'from partywall.api import Feature\nfeature = Feature(name="orders", migrations="orders_migrations")',
            "the feature orders has the migration 0001_x.py, which cannot be imported: No module",
        ),
        ("import os; os._exit(7)", "FEATURES__ENABLED: importing orders ended the process with exit code 7"),
    ],
)
def test_a_feature_that_a_child_would_refuse_leaves_nothing(tmp_path: Path, text: str, said: str) -> None:
    packages, folder = tmp_path / "packages", tmp_path / "folder"
    (packages / "orders-1.dist-info").mkdir(parents=True)
    (packages / "orders-1.dist-info" / "entry_points.txt").write_text("[partywall.features]\norders = orders:feature\n")
    (packages / "orders.py").write_text(text)
    (packages / "orders_work.py").write_text("import no_such_module")
    (packages / "orders_migrations").mkdir()
    (packages / "orders_migrations" / "0001_x.py").write_text('revision = "0001"\nimport no_such_module')
    folder.mkdir()
    environment = {"PYTHONPATH": str(packages), "FEATURES__ENABLED": "orders"}
    command = [sys.executable, "-m", "partywall", "serve", "--data-dir", "data"]
    done = subprocess.run(
        command, cwd=folder, env=environment, capture_output=True, text=True, timeout=MAX_WAIT, check=False
    )
    assert (done.returncode, done.stdout) == (2, "")
    assert f"partywall: {said}" in done.stderr.splitlines()[-1]
    assert list(folder.iterdir()) == []


def through_json(options: ServeOptions) -> ServeOptions:
    """What the supervisor reads; it must miss nothing."""
    read = ServeOptions.from_json(options.as_json())
    assert read == options
    return read


def options_of(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, host: str) -> ServeOptions:
    """What `serve` would do, without starting anything."""
    monkeypatch.chdir(tmp_path)
    asked: list[ServeOptions] = []

    monkeypatch.setattr("partywall.commands.serve.execute", lambda options: asked.append(through_json(options)))
    assert run(["serve", "--host", host]) == 0
    return asked[0]


def warning_of(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, host: str) -> str | None:
    return options_of(monkeypatch, tmp_path, host).warning


def test_the_children_may_write_to_every_directory_of_the_settings(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Started as root, they run under another account, which cannot create directories here."""
    options = options_of(monkeypatch, tmp_path, "127.0.0.1")
    names = [name for name in vars(Settings) if name.endswith("_directory")]
    settings = Settings(
        data_dir=options.data_dir, database=DatabaseSettings(engine="embedded"), cache=CacheSettings(engine="embedded")
    )
    assert len(names) >= 3
    assert {getattr(settings, name) for name in names} == set(options.written) <= set(options.given)


def test_larger_pools_fit_into_the_embedded_postgres(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    usual = options_of(monkeypatch, tmp_path, "127.0.0.1").connections
    assert usual <= CONNECTIONS
    monkeypatch.setenv("DATABASE__POOL_SIZE", "100")
    assert options_of(monkeypatch, tmp_path, "127.0.0.1").connections >= usual + 2 * (84 + 126)


EXPOSED = ("0.0.0.0", "::", "192.0.2.1", "::ffff:192.0.2.1", "example.test", "")  # noqa: S104 - nothing is bound to it


@pytest.mark.parametrize("host", EXPOSED)
def test_a_public_address_gives_a_warning(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, host: str) -> None:
    warning = warning_of(monkeypatch, tmp_path, host)
    assert warning is not None
    for what in ("plain HTTP", "anyone may register", "/docs is served"):
        assert what in warning
    monkeypatch.setenv("ACCOUNTS__REGISTRATION", "closed")
    monkeypatch.setenv("HTTP__DOCS", "false")
    closed = warning_of(monkeypatch, tmp_path, host)
    assert closed is not None
    assert "nobody may register; /docs is not served" in closed


@pytest.mark.parametrize("host", ["127.0.0.1", "127.9.9.9", "::1", "localhost"])
def test_a_loopback_address_gives_no_warning(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, host: str) -> None:
    assert warning_of(monkeypatch, tmp_path, host) is None
