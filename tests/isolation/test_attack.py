from __future__ import annotations

from fastapi import FastAPI

from tests.isolation.suite import attack
from tests.isolation.surface import read_surface
from tests.isolation.world import World


async def test_nothing_leaks_and_nothing_is_left_out(besieged_app: FastAPI, world: World) -> None:
    report = await attack(besieged_app, world)
    assert not report.leaks, str(report)
    assert not report.unexercised, str(report)
    operations = read_surface(besieged_app.openapi())
    assert report.exercised == {each.id for each in operations}
