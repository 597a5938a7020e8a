from __future__ import annotations

from fastapi import FastAPI

from partywall.testing.isolation.callers import Standing
from partywall.testing.isolation.suite import Report, attack
from partywall.testing.isolation.surface import Operation, Place, read_surface
from partywall.testing.isolation.world import World


async def test_nothing_leaks_and_nothing_is_left_out(attacked_app: FastAPI, world: World) -> None:
    report = await attack(attacked_app, world)
    assert not report.leaks, str(report)
    assert not report.unexercised, str(report)
    operations = read_surface(attacked_app.openapi())
    assert report.exercised == {each.id for each in operations}
    for operation in operations:
        _assert_covered(report, operation, world)


def _assert_covered(report: Report, operation: Operation, world: World) -> None:
    """Every kind of caller tried every declared position, and some callers tried every other one.

    Each caller tried some position, and each with a credential every one in the path; `make bench-attacks` tries all.
    """
    named = {standing: {each.name for each in world.callers if each.standing is standing} for standing in Standing}
    anonymous = named[Standing.NOBODY]
    if any(position.declared for position in operation.positions):
        everyone = anonymous | named[Standing.OUTSIDER] | named[Standing.MEMBER]
        assert {caller for each, _, caller in report.covered if each == operation.id} >= everyone
    for position in operation.positions:
        tried = {caller for each, where, caller in report.covered if (each, where) == (operation.id, str(position))}
        assert tried
        if position.declared:
            known = named[Standing.OUTSIDER] | named[Standing.MEMBER]
            assert tried >= known if position.place is Place.PATH else (len(tried & known) >= len(known) // 2)
            assert tried & named[Standing.OUTSIDER]
            assert tried & named[Standing.MEMBER]
            assert tried & anonymous if operation.gated else tried >= anonymous


async def test_who_may_read_tries_to_write(attacked_app: FastAPI, world: World) -> None:
    report = await attack(attacked_app, world, only=lambda each: each.id in ("update_document", "get_document"))
    tried = {operation for operation, _, caller in report.covered if caller == "viewer"}
    assert tried == {"update_document"}
