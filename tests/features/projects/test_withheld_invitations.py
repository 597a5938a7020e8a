"""Invitation mails above a recipient's limit are sent later; no inviter uses up the mails of the others."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from datetime import timedelta
from typing import Final
from uuid import uuid4

import pytest

from partywall.core.jobs.runner import JobRunner
from partywall.core.resources import Resources
from partywall.features.projects import invitation_quota
from partywall.features.projects.feature import feature
from partywall.features.projects.invitation_quota import MAILS_PER_HOUR_OF_ONE, MAILS_PER_HOUR_TO_ONE, MIN_PAUSE
from partywall.testing.engines import DatabaseUrls
from partywall.testing.users import Users
from tests.features.projects.invitation_mails import Post
from tests.features.projects.team import Team

_DELAYED: Final = "SELECT FROM job WHERE payload->>'invitation_id' = $1 AND state = 'delayed'"


def new_address() -> str:
    return f"{uuid4().hex}@example.com"


async def test_one_inviter_with_many_projects_cannot_use_up_the_mails_to_a_recipient(
    team: Team, post: Post, users: Users
) -> None:
    email, greedy = new_address(), await users.person()
    pauses: list[timedelta | None] = []
    for _ in range(MAILS_PER_HOUR_TO_ONE):
        each = replace(team, project=await greedy.project(), owner=greedy)
        pauses.append(await post.deliver(each, await post.invite(each, email)))
    assert [pause is None for pause in pauses] == [number < MAILS_PER_HOUR_OF_ONE for number in range(len(pauses))]
    assert await post.deliver(team, await post.invite(team, email)) is None
    assert len(await post.letters(email)) == MAILS_PER_HOUR_OF_ONE + 1


async def test_a_withheld_mail_is_sent_later(
    users: Users, team: Team, post: Post, resources: Resources, database: DatabaseUrls, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The worker puts the job back, and sends the mail when the recipient may get one again."""
    email = new_address()
    monkeypatch.setattr(invitation_quota, "MAILS_PER_HOUR_TO_ONE", 1)
    await post.deliver(team, await post.invite(team, email))
    late = replace(team, project=await team.admin.project(), owner=team.admin)
    invitation = await post.invite(late, email)
    stop = asyncio.Event()
    async with asyncio.TaskGroup() as group, asyncio.timeout(60):
        group.create_task(JobRunner(resources, feature.jobs).run(stop))
        while not await users.fetch(_DELAYED, str(invitation)):
            await asyncio.sleep(0.05)
        listed = (await late.owner.client.get(f"{late.url}/invitations")).json()["items"]
        assert [each["email"] for each in listed] == [email]
        assert len(await post.letters(email)) == 1
        monkeypatch.setattr(invitation_quota, "MAILS_PER_HOUR_TO_ONE", 2)
        await users.execute("UPDATE job SET due_at = now() WHERE payload->>'invitation_id' = $1", str(invitation))
        while len(await post.letters(email)) < 2:
            await asyncio.sleep(0.05)
        stop.set()


async def test_a_mail_withheld_until_the_invitation_expires_is_given_up(
    team: Team, post: Post, monkeypatch: pytest.MonkeyPatch
) -> None:
    email = new_address()
    monkeypatch.setattr(invitation_quota, "MAILS_PER_HOUR_TO_ONE", 1)
    await post.deliver(team, await post.invite(team, email))
    late = replace(team, project=await team.admin.project(), owner=team.admin)
    invitation = await post.invite(late, email)
    pause = await post.deliver(late, invitation)
    assert pause is not None
    assert MIN_PAUSE <= pause <= timedelta(hours=1)
    await team.users.execute("UPDATE invitation SET expires_at = now() WHERE id = $1", invitation)
    assert await post.deliver(late, invitation) is None
    assert len(await post.letters(email)) == 1
