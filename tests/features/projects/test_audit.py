"""Who changed the access to a project is in its trail."""

from __future__ import annotations

from tests.features.projects.invitation_mails import Post, accept, token_in
from tests.features.projects.team import Team


async def test_members_roles_invitations_and_transfers_are_recorded(team: Team, post: Post) -> None:
    client, invitations = team.owner.client, f"{team.url}/invitations"
    guest = await team.users.person()
    made = await post.invite(team, guest.email, "viewer")
    await post.deliver(team, made)
    token = token_in((await post.letters(guest.email))[-1])
    assert (await accept(guest, token)).status_code == 200
    other = await client.post(invitations, json={"email": "else@example.com", "role": "editor"})
    await client.delete(f"{invitations}/{other.json()['id']}")
    await client.patch(team.member(team.viewer), json={"role": "editor"})
    await client.delete(team.member(team.editor))
    await guest.client.delete(f"{team.url}/members/me")
    await client.post(f"{team.url}/transfer", json={"user_id": str(team.admin.id)})
    answer = await team.admin.client.get(f"{team.url}/audit", params={"sort": "created_at"})
    entries = [(each["action"], each["actor"], each["subject"], each["data"]) for each in answer.json()["items"]]
    owner, new = str(team.owner.principal), str(team.admin.principal)
    assert entries == [
        ("member.invited", owner, f"invitation:{made}", {"role": "viewer"}),
        ("member.added", str(guest.principal), str(guest.principal), {"role": "viewer"}),
        ("member.invited", owner, f"invitation:{other.json()['id']}", {"role": "editor"}),
        ("invitation.withdrawn", owner, f"invitation:{other.json()['id']}", {}),
        ("member.updated", owner, str(team.viewer.principal), {"role": "editor"}),
        ("member.removed", owner, str(team.editor.principal), {"role": "editor"}),
        ("member.removed", str(guest.principal), str(guest.principal), {"role": "viewer"}),
        ("ownership.transferred", owner, new, {}),
        ("member.updated", owner, new, {"role": "owner"}),
        ("member.updated", owner, owner, {"role": "admin"}),
    ]


async def test_a_refused_change_leaves_no_entry(team: Team) -> None:
    refused = await team.owner.client.delete(team.member(team.owner))
    assert refused.status_code == 409
    assert (await team.owner.client.get(f"{team.url}/audit")).json()["items"] == []
