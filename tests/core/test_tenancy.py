"""The type of a scope says what its transaction has locked; mypy refuses the wrong one.

mypy checks these functions as part of `make test` and reports an ignore that is not needed, so each ignore below is an
error that must stay one.
"""

from __future__ import annotations

from uuid import uuid4

import pytest

from partywall.core.db.scopes import open_exclusive_scope
from partywall.core.db.session import AsyncSession
from partywall.core.events.log import EventDraft, publish
from partywall.core.tenancy import (
    ExclusiveScope,
    Principal,
    ProjectScope,
    Role,
    SharedScope,
    UnlockedScope,
    make_scope,
)
from partywall.features.documents.repository import DocumentWriter
from partywall.features.projects.member_repository import MemberWriter


@pytest.mark.parametrize("kind", [ProjectScope, UnlockedScope, SharedScope, ExclusiveScope])
def test_nobody_else_makes_a_scope(kind: type[ProjectScope]) -> None:
    with pytest.raises(TypeError, match=r"only core\.tenancy"):
        kind(uuid4(), Principal.user(uuid4()), Role.OWNER, object())


def test_a_scope_is_its_locks_as_well() -> None:
    shared = make_scope(uuid4(), Principal.user(uuid4()), "owner")
    assert not isinstance(shared, UnlockedScope | SharedScope | ExclusiveScope)


def ordinary_writers_take_shared_scopes(session: AsyncSession, unlocked: UnlockedScope, shared: SharedScope) -> None:
    DocumentWriter(session, shared)
    DocumentWriter(session, unlocked)  # type: ignore[arg-type]  # the project could end meanwhile
    publish(session, unlocked, EventDraft("a.b", "c", "d"))  # type: ignore[arg-type]  # as above


def what_ends_a_membership_takes_an_exclusive_scope(session: AsyncSession, shared: SharedScope) -> None:
    MemberWriter(session, shared)  # type: ignore[arg-type]  # it would not be alone


async def who_shares_a_lock_does_not_ask_for_the_exclusive_one(session: AsyncSession, shared: SharedScope) -> None:
    await open_exclusive_scope(session, shared)  # type: ignore[arg-type]  # two of them would deadlock
