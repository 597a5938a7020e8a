from __future__ import annotations

from pathlib import Path

from alembic.script import ScriptDirectory

from partywall.supervisor.migrations import heads
from partywall.supervisor.options import ServeOptions


def write(directory: Path, revision: str, down_revision: str) -> None:
    (directory / f"{revision}.py").write_text(
        f'raise RuntimeError("never run")\nrevision: str = "{revision}"\ndown_revision = {down_revision}\n'
    )


def test_the_head_is_the_revision_without_a_successor(tmp_path: Path) -> None:
    write(tmp_path, "a", "None")
    write(tmp_path, "b", '"a"')
    write(tmp_path, "c", '"a"')
    assert heads(tmp_path) == {"b", "c"}
    write(tmp_path, "d", '("b", "c")')
    assert heads(tmp_path) == {"d"}


def test_it_agrees_with_alembic() -> None:
    versions = ServeOptions().migrations
    assert heads(versions) == set(ScriptDirectory(str(versions.parent)).get_heads()) != set()
