from __future__ import annotations

import os
from pathlib import Path

import pytest

from partywall.adapters.embedded import EngineError
from partywall.adapters.embedded.account import Account
from partywall.adapters.embedded.ownership import hand_over, make_private

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="root alone can give files away")

ACCOUNT = Account(12345, 12346)
OUTSIDER = 23456


@pytest.fixture
def blobs(tmp_path: Path) -> Path:
    """Left by an earlier start as root."""
    blobs = tmp_path / "blobs"
    (blobs / "project" / "ab").mkdir(parents=True)
    (blobs / "project" / "ab" / "one").write_text("text")
    return blobs


def owners(directory: Path) -> set[int]:
    return {path.lstat().st_uid for path in (directory, *directory.rglob("*"))}


def test_a_directory_changes_owner_once_with_its_contents(blobs: Path) -> None:
    hand_over(blobs, ACCOUNT)
    assert owners(blobs) == {ACCOUNT.uid}
    (blobs / "later").write_text("root's")
    hand_over(blobs, ACCOUNT)
    assert owners(blobs) == {ACCOUNT.uid, 0}


def test_an_interrupted_change_of_owner_resumes(blobs: Path) -> None:
    os.chown(blobs / "project", ACCOUNT.uid, ACCOUNT.gid)
    hand_over(blobs, ACCOUNT)
    assert owners(blobs) == {ACCOUNT.uid}


def test_a_missing_directory_is_no_error(tmp_path: Path) -> None:
    hand_over(tmp_path / "secret.key", ACCOUNT)


@pytest.mark.parametrize("which", ["symbolic", "symbolic directory", "hard", "fifo", "itself"])
def test_files_of_other_users_keep_their_owner(blobs: Path, tmp_path: Path, which: str) -> None:
    aim = tmp_path / "shadow"
    aim.write_text("secret")
    (tmp_path / "directory").mkdir()
    link = blobs / "project" / "link"
    match which:
        case "symbolic":
            link.symlink_to(aim)
        case "symbolic directory":
            link.symlink_to(tmp_path / "directory")
        case "hard":
            link.hardlink_to(aim)
        case "fifo":
            os.mkfifo(link)
        case _:
            link = tmp_path / "link"
            link.symlink_to(blobs)
            blobs = link
    with pytest.raises(EngineError, match=r"link.*remove it"):
        hand_over(blobs, ACCOUNT)
    assert aim.stat().st_uid == (tmp_path / "directory").stat().st_uid == 0
    assert tmp_path.joinpath("blobs").stat().st_uid == 0


def test_files_of_another_user_are_refused(blobs: Path) -> None:
    os.chown(blobs / "project" / "ab" / "one", OUTSIDER, OUTSIDER)
    with pytest.raises(EngineError, match="of user 23456: start as that user"):
        hand_over(blobs, ACCOUNT)


def test_a_directory_elsewhere_is_created_but_keeps_its_owner(tmp_path: Path) -> None:
    made = tmp_path / "a" / "mail"
    make_private(made, ACCOUNT)
    assert (made.stat().st_uid, made.stat().st_mode & 0o777) == (ACCOUNT.uid, 0o700)
    make_private(made, ACCOUNT)
    (tmp_path / "roots").mkdir(mode=0o755)
    with pytest.raises(EngineError, match=r"roots: the system user partywall may not write there"):
        make_private(tmp_path / "roots", ACCOUNT)
    assert (tmp_path / "roots").stat().st_uid == 0
