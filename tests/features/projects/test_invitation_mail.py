"""The invitation mail; nobody else gets its token."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from uuid import UUID, uuid4

import pytest
import structlog
from structlog.testing import capture_logs

from partywall.core.jobs.context import JobContext
from partywall.core.jobs.runner import JobRunner
from partywall.core.mail.message import MailError, Message
from partywall.core.resources import Resources
from partywall.core.tenancy import ProjectNotFoundError
from partywall.features.projects.feature import feature
from partywall.features.projects.invitation_mail import send_invitation
from partywall.features.projects.invitation_quota import MAILS_PER_HOUR_TO_ONE
from partywall.features.projects.member_repository import MemberRepository, MemberRow
from partywall.settings import MailLinks
from partywall.testing.engines import DatabaseUrls
from partywall.testing.users import Users
from tests.features.projects.invitation_mails import Post, accept, text_of, token_in
from tests.features.projects.team import Team, said


def new_address() -> str:
    return f"{uuid4().hex}@example.com"


async def test_from_the_invitation_to_the_membership_by_the_worker(
    users: Users, team: Team, post: Post, resources: Resources, database: DatabaseUrls
) -> None:
    guest = await users.person()
    await post.invite(team, guest.email, "viewer")
    stop = asyncio.Event()
    async with asyncio.TaskGroup() as group, asyncio.timeout(60):
        group.create_task(JobRunner(resources, feature.jobs).run(stop))
        while not await post.letters(guest.email):
            await asyncio.sleep(0.05)
        stop.set()
    [letter] = await post.letters(guest.email)
    assert (await accept(guest, token_in(letter))).json()["role"] == "viewer"


async def test_the_mail_says_who_invites_whom_where_to_what_and_until_when(team: Team, post: Post) -> None:
    email = new_address()
    await team.users.execute(
        "UPDATE account SET full_name = $2 WHERE id = $1", team.owner.id, "Ada <b>L</b>\r\nBcc: x@y"
    )
    await team.owner.client.patch(team.url, json={"name": "Fish & Chips"})
    token = await post.token(team, email, "admin")
    [letter] = await post.letters(email)
    assert letter["Subject"] == "Ada <b>L</b> Bcc: x@y invites you to Fish & Chips"
    assert letter["Bcc"] is None
    plain, html = text_of(letter), text_of(letter, "html")
    assert f'Ada <b>L</b> Bcc: x@y ({team.owner.email}) invites you to the project "Fish & Chips" as admin.' in plain
    assert f"<strong>Ada &lt;b&gt;L&lt;/b&gt; Bcc: x@y</strong> ({team.owner.email}) invites you" in html
    assert "Fish &amp; Chips" in html
    for part in (plain, html):
        assert token in part
        assert "UTC" in part
        assert "href" not in part


async def test_without_a_name_the_inviter_is_named_by_address(team: Team, post: Post) -> None:
    email = new_address()
    await post.token(team, email, by=team.admin)
    [letter] = await post.letters(email)
    assert letter["Subject"] == f"{team.admin.email} invites you to A project"
    assert f'{team.admin.email} invites you to the project "A project" as editor.' in text_of(letter)
    assert f"<strong>{team.admin.email}</strong> invites you" in text_of(letter, "html")


async def test_a_name_is_no_advertisement(team: Team, post: Post) -> None:
    """Addresses in a user's or project's name do not reach the mail."""
    email = new_address()
    name = "Your bank. Log in at http://evil.example now, or your account is closed"
    await team.users.execute("UPDATE account SET full_name = $2 WHERE id = $1", team.owner.id, name)
    await team.owner.client.patch(
        team.url, json={"name": "=?utf-8?q?http=3A//evil.example/?= www.evil.example evil.com"}
    )
    await post.deliver(team, await post.invite(team, email))
    [letter] = await post.letters(email)
    invited_by = "Your bank. Log in at … now, or your account is closed"
    assert letter["Subject"] == f"{invited_by} invites you to = ?utf-8?q?http=3A//evil. example/?= … evil. com"
    for part in (str(letter["Subject"]), text_of(letter), text_of(letter, "html")):
        assert "evil.example" not in part
        assert "evil.com" not in part


async def test_mails_to_one_recipient_are_limited_across_projects_unnoticed(
    team: Team, post: Post, users: Users
) -> None:
    email = new_address()
    sent: list[tuple[Team, UUID]] = []
    for _ in range(MAILS_PER_HOUR_TO_ONE + 1):
        owner = await users.person()
        each = replace(team, project=await owner.project(), owner=owner)
        sent.append((each, await post.invite(each, email)))
    with capture_logs() as logs:
        for each, invitation in sent:
            await post.deliver(each, invitation)
    assert len(await post.letters(email)) == MAILS_PER_HOUR_TO_ONE
    [withheld] = [line for line in logs if line["event"] == "invitation_withheld"]
    assert email not in str(withheld)
    last, _ = sent[-1]
    listed = (await last.owner.client.get(f"{last.url}/invitations")).json()["items"]
    assert [each["email"] for each in listed] == [email]
    await post.deliver(team, await post.invite(team, other := new_address()))
    assert len(await post.letters(other)) == 1


async def test_a_mail_to_a_project_that_has_ended_is_not_sent(team: Team, post: Post) -> None:
    email = new_address()
    invitation = await post.invite(team, email)
    number, payload = await post.job(team, invitation)
    assert (await team.owner.client.delete(team.url)).status_code == 204
    with pytest.raises(ProjectNotFoundError):
        await send_invitation(JobContext(post.resources, uuid4(), number, 1, last=False), payload)
    assert await post.letters(email) == []


async def test_a_mail_to_a_project_that_ends_meanwhile_is_whole(
    team: Team, post: Post, monkeypatch: pytest.MonkeyPatch
) -> None:
    """All names are read in one snapshot, so none is missing if the project ends later."""
    email = new_address()
    [[name]] = await team.users.fetch("SELECT name FROM project WHERE id = $1", team.project)
    invitation = await post.invite(team, email)
    number, payload = await post.job(team, invitation)
    get = MemberRepository.get

    async def get_then_end_project(members: MemberRepository, account: UUID) -> MemberRow | None:
        row = await get(members, account)
        assert row is not None
        ends = "UPDATE project SET deleted_at = now(), name = '' WHERE id = $1"
        await team.users.execute(ends, team.project)
        return row

    monkeypatch.setattr(MemberRepository, "get", get_then_end_project)
    await send_invitation(JobContext(post.resources, uuid4(), number, 1, last=False), payload)
    [letter] = await post.letters(email)
    assert name in text_of(letter, "plain")


def with_settings(resources: Resources, **sections: object) -> Resources:
    return replace(resources, settings=resources.settings.model_copy(update=sections))


async def test_without_a_page_the_route_is_named(team: Team, resources: Resources) -> None:
    email = new_address()
    http = resources.settings.http.model_copy(update={"public_url": "https://api.example.com/"})
    post = Post(with_settings(resources, http=http))
    token = await post.token(team, email)
    [letter] = await post.letters(email)
    for kind in ("plain", "html"):
        assert "https://api.example.com/api/v1/invitations/accept" in text_of(letter, kind)
        assert token in text_of(letter, kind)


async def test_the_product_s_own_page_is_linked(team: Team, resources: Resources) -> None:
    email = new_address()
    links = MailLinks(invitation="https://app.example.com/join?token={token}")
    post = Post(with_settings(resources, mail=resources.settings.mail.model_copy(update={"links": links})))
    token = await post.token(team, email)
    [letter] = await post.letters(email)
    assert f"https://app.example.com/join?token={token}\n" in text_of(letter)
    assert f'href="https://app.example.com/join?token={token}"' in text_of(letter, "html")


async def test_the_same_job_sends_the_same_mail(team: Team, post: Post) -> None:
    email = new_address()
    invitation = await post.invite(team, email)
    await post.deliver(team, invitation)
    await post.deliver(team, invitation)
    one, again = await post.letters(email)
    assert one["Message-ID"] == again["Message-ID"]
    assert token_in(one) == token_in(again)


async def test_what_was_withdrawn_is_not_sent(team: Team, post: Post) -> None:
    email = new_address()
    invitation = await post.invite(team, email)
    await team.owner.client.delete(f"{team.url}/invitations/{invitation}")
    await post.deliver(team, invitation)
    assert await post.letters(email) == []


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE project_member SET role = 'editor' WHERE account_id = $1",
        "UPDATE invitation SET expires_at = now() WHERE invited_by = concat('user:', $1::uuid)",
    ],
)
async def test_what_its_sender_may_not_send_any_more_is_not_sent(team: Team, post: Post, statement: str) -> None:
    email = new_address()
    invitation = await post.invite(team, email, by=team.admin)
    await team.users.execute(statement, team.admin.id)
    await post.deliver(team, invitation)
    assert await post.letters(email) == []


async def test_an_offer_of_ownership_is_not_sent_for_a_former_owner(team: Team, post: Post) -> None:
    email, sender = new_address(), await team.another("owner")
    invitation = await post.invite(team, email, "owner", by=sender)
    await team.users.execute("UPDATE project_member SET role = 'admin' WHERE account_id = $1", sender.id)
    await post.deliver(team, invitation)
    assert await post.letters(email) == []


async def test_a_sender_who_has_gone_sends_nothing(team: Team, post: Post) -> None:
    """The runner drops jobs whose principal has lost access."""
    email = new_address()
    invitation = await post.invite(team, email, by=team.admin)
    await team.users.execute("DELETE FROM project_member WHERE account_id = $1", team.admin.id)
    with pytest.raises(ProjectNotFoundError):
        await post.deliver(team, invitation)
    assert await post.letters(email) == []


class Away:
    async def send(self, message: Message) -> None:
        raise MailError("the server is away")

    async def ping(self) -> None: ...


async def test_a_mail_that_was_not_taken_is_tried_again(team: Team, post: Post, resources: Resources) -> None:
    email = new_address()
    number, payload = await post.job(team, await post.invite(team, email))
    with pytest.raises(MailError):
        await send_invitation(JobContext(replace(resources, mailer=Away()), uuid4(), number, 1, last=False), payload)
    await send_invitation(JobContext(resources, uuid4(), number, 2, last=False), payload)
    assert len(await post.letters(email)) == 1


async def test_a_token_is_nowhere_but_in_the_mail(users: Users, team: Team, post: Post) -> None:
    guest = await users.person()
    with structlog.testing.capture_logs() as logs:
        token = await post.token(team, guest.email)
        answers = [
            await team.owner.client.get(f"{team.url}/invitations"),
            await team.owner.client.get(f"{team.url}/members"),
            await accept(team.viewer, token),
            await accept(guest, token, **{"Idempotency-Key": uuid4().hex}),
        ]
    assert said(answers[2]) == (404, "invitation_not_found")
    assert answers[3].status_code == 200
    assert [answer for answer in answers if token in answer.text or token in str(answer.headers)] == []
    assert logs
    assert token not in str(logs)
    assert guest.email not in str(logs)
    for table in ("job", "event", "idempotency_key", "invitation"):
        for secret in (token, token.encode().hex()):
            found = await users.fetch(f"SELECT FROM {table} AS row WHERE position($1 IN row::text) > 0", secret)
            assert found == [], table
    events = await users.fetch("SELECT FROM event WHERE position($1 IN event::text) > 0", guest.email)
    assert events == []
