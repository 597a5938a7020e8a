from __future__ import annotations

from dataclasses import replace
from uuid import uuid4

import pytest

from partywall.testing.isolation.world import IncompleteWorldError, World


async def test_every_table_of_projects_holds_rows_of_both(world: World) -> None:
    await world.check()
    assert len(world.superuser.project_tables) > 10


async def test_a_table_that_nobody_thought_of_is_missed(world: World) -> None:
    name = f"forgotten_{uuid4().hex}"
    await world.superuser.execute(f"CREATE TABLE {name} (project_id uuid NOT NULL)")
    try:
        superuser = replace(world.superuser, project_tables=(*world.superuser.project_tables, name))
        with pytest.raises(IncompleteWorldError, match=f"HOME has no row in {name}"):
            await replace(world, superuser=superuser).check()
        await world.superuser.execute(f"INSERT INTO {name} VALUES ($1)", world.home.project)  # noqa: S608 - made above
        with pytest.raises(IncompleteWorldError, match=f"FOREIGN has no row in {name}"):
            await replace(world, superuser=superuser).check()
    finally:
        await world.superuser.execute(f"DROP TABLE {name}")


async def test_what_was_changed_is_seen_and_put_back(world: World) -> None:
    superuser, of = world.superuser, world.foreign.belongings
    before, rows = await superuser.fingerprint(of), await superuser.rows(of)
    for table in ("document", "project_member", "session", "job"):
        assert rows[table], table
    await superuser.execute("DELETE FROM document WHERE project_id = $1", of.project)
    await superuser.execute("UPDATE account SET full_name = 'Another' WHERE id = $1", world.foreign.owner.id)
    changed = {name for name, was in before.items() if (await superuser.fingerprint(of))[name] != was}
    assert {"document", "document_version", "chunk", "posting", "account"} <= changed
    assert not {"project", "session", "job", "blobs", "cache"} & changed
    await superuser.restore(of, rows)
    assert await superuser.fingerprint(of) == before


async def test_a_file_and_a_key_of_the_cache_are_compared(world: World) -> None:
    superuser, of = world.superuser, world.foreign.belongings
    before = await superuser.fingerprint(of)
    file = superuser.blobs / str(of.project) / "planted"
    file.write_text("planted")
    await superuser.cache.set(f"planted:{of.project}", "1")
    now = await superuser.fingerprint(of)
    file.unlink()
    await superuser.cache.delete(f"planted:{of.project}")
    assert {name for name, was in before.items() if now[name] != was} == {"blobs", "cache"}
