"""What a process that root starts as another account may still do."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path

import pytest

from partywall.adapters.embedded import process
from partywall.adapters.embedded.account import Account, service_account
from partywall.adapters.embedded.launch import closed_above

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="root alone can become another account")

LOOK = """
import json, multiprocessing, os, resource, sys

def where(_):
    import wave  # a module that nothing has imported before
    return os.getuid()

if __name__ == "__main__":
    status = dict(line.split(":\\t", 1) for line in open("/proc/self/status").read().splitlines() if ":\\t" in line)
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        spawned = pool.map(where, [0])[0]
    seen = {
        "uids": status["Uid"].split(), "gids": status["Gid"].split(), "groups": status["Groups"].split(),
        "capabilities": sorted({int(status[name], 16) for name in status if name.startswith("Cap")}),
        "no new": status["NoNewPrivs"], "cores": resource.getrlimit(resource.RLIMIT_CORE), "spawned": spawned,
        "readable": [os.access(path, os.R_OK) for path in sys.argv[1:]],
    }
    print(json.dumps(seen))
"""


@pytest.fixture
def account() -> Account:
    found = service_account()
    assert found is not None
    return found


async def test_the_process_keeps_no_root_rights_and_python_still_works(tmp_path: Path, account: Account) -> None:
    """Also where Python, the script and the data lie in a closed home directory, the rest of which stays hidden."""
    closed = tmp_path / "closed"
    (closed / "data").mkdir(parents=True)
    (closed / "beside").write_text("private")
    (closed / "data" / "own").write_text("needed")
    (closed / "look.py").write_text(LOOK)
    closed.chmod(0o700)
    before = closed.stat()
    reach = [closed / "look.py", closed / "data", *map(Path, (sys.prefix, sys.base_prefix))]
    looked_at = [str(closed / "data" / "own"), str(closed / "beside"), "/etc/shadow"]
    with (tmp_path / "output").open("wb") as output:
        code = await process.run(
            [sys.executable, str(closed / "look.py"), *looked_at],
            environment=os.environ, account=account, reach=reach, output=output,
        )  # fmt: skip
    text = (tmp_path / "output").read_text()
    assert code == 0, text
    seen = json.loads(text)
    assert seen["uids"] == [str(account.uid)] * 4
    assert seen["gids"] == [str(account.gid)] * 4
    assert (seen["groups"], seen["capabilities"], seen["no new"], seen["cores"]) == ([], [0], "1", [0, 0])
    assert seen["spawned"] == account.uid
    assert seen["readable"] == [True, False, False]
    assert (closed.stat().st_mode, closed.stat().st_ino) == (before.st_mode, before.st_ino)
    assert (closed / "beside").read_text() == "private"


def test_the_uppermost_closed_directory_is_found(tmp_path: Path, account: Account) -> None:
    inner = tmp_path / "outer" / "open" / "inner" / "deep"
    inner.mkdir(parents=True)
    assert closed_above("/usr/bin", account.uid, account.gid) is None
    (tmp_path / "outer" / "open" / "inner").chmod(0o700)
    outer = closed_above(str(inner), account.uid, account.gid)
    assert outer is not None
    assert inner.is_relative_to(outer)
    (tmp_path / "outer").chmod(0o700)
    assert closed_above(str(inner), 0, 0) is None
