"""The checks of the directories and of Valkey's URL before a process starts."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from pydantic import SecretStr

from partywall.adapters.embedded import open_home
from partywall.commands.cache import cache_at
from partywall.commands.directories import require_directories
from partywall.commands.usage_error import UsageError
from partywall.core.git_ignore import keep_out_of_git
from partywall.secret_key import secret_key
from partywall.settings import BlobSettings, Settings


def test_a_directory_that_is_written_to_is_made_or_named(settings: Settings, tmp_path: Path) -> None:
    blobs = tmp_path / "new" / "blobs"
    require_directories(settings.model_copy(update={"blobs": BlobSettings(directory=blobs)}), make=True)
    assert blobs.is_dir()
    (tmp_path / "file").touch()
    for path, reason in ((tmp_path / "file" / "x", "not a directory"), (Path("/proc/nowhere"), "no such file")):
        wrong = settings.model_copy(update={"blobs": BlobSettings(directory=path)})
        with pytest.raises(UsageError, match=f"^BLOBS__DIRECTORY: .*{reason}"):
            require_directories(wrong, make=True)


def test_a_new_data_directory_is_kept_out_of_git(settings: Settings, tmp_path: Path) -> None:
    given = tmp_path / "given"
    makers: tuple[Callable[[Path], object], ...] = (
        open_home,
        lambda path: secret_key(settings.model_copy(update={"data_dir": path, "secret_key": None})),
        lambda path: require_directories(settings.model_copy(update={"data_dir": path}), make=True),
    )
    for make in makers:
        data = tmp_path / "data"
        make(data)
        assert (data / ".gitignore").read_text().splitlines()[-1] == "*"
        shutil.rmtree(data)
    given.mkdir()
    (given / ".gitignore").write_text("mine")
    secret_key(settings.model_copy(update={"data_dir": given, "secret_key": None}))
    assert sorted(each.name for each in given.iterdir()) == [".gitignore", "secret.key"]
    assert (given / ".gitignore").read_text() == "mine"
    keep_out_of_git(Path("/proc"))


@pytest.mark.parametrize(
    "end",
    ["\n", ":0", ":99999", "/abc", "/99999999999", "?nosuchoption=1", "?socket_timeout=abc", "/#0", " x", "\udcff"],
)
def test_a_cache_that_no_url_names(end: str) -> None:
    with pytest.raises(UsageError, match=r"^CACHE__URL is not a valid URL: use redis://:PASSWORD@HOST:PORT/0"):
        _ = cache_at(SecretStr(f"redis://very-secret@cache.invalid{end}"))


@pytest.mark.parametrize("url", ["redis://:p%40ss@h:6379/2", "rediss://h", "unix:///run/valkey.sock", "redis://h?db=1"])
def test_a_cache_that_a_url_names(url: str) -> None:
    assert cache_at(SecretStr(url)) is not None
