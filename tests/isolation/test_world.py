from __future__ import annotations

from uuid import uuid4

import pytest

from tests.isolation.world import IncompleteWorldError, World


async def test_every_table_of_projects_holds_rows_of_both(world: World) -> None:
    await world.check()
    assert len(world.superuser.project_tables) > 10


async def test_a_table_that_nobody_thought_of_is_missed(world: World) -> None:
    name = f"forgotten_{uuid4().hex}"
    tables = (*world.superuser.project_tables, name)
    await world.superuser.execute(f"CREATE TABLE {name} (project_id uuid NOT NULL)")
    try:
        world.superuser = type(world.superuser)(
            world.superuser.pool, world.superuser.cache, world.superuser.blobs, tables, world.superuser.conditions
        )
        with pytest.raises(IncompleteWorldError, match=name):
            await world.check()
    finally:
        await world.superuser.execute(f"DROP TABLE {name}")
