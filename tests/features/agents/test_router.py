from __future__ import annotations

from uuid import uuid4

from httpx2 import AsyncClient

from tests.features.runs.agent_workspace import AgentWorkspace


async def test_nobody_without_a_credential(anonymous: AsyncClient) -> None:
    assert (await anonymous.get(f"/api/v1/projects/{uuid4()}/agents")).status_code == 401


async def test_an_outsider_sees_no_project(workspace: AgentWorkspace) -> None:
    outsider = await workspace.users.person()
    answer = await outsider.client.get(f"{workspace.url}/agents")
    assert (answer.status_code, answer.json()["code"]) == (404, "project_not_found")


async def test_the_catalogue_shows_the_schemas(workspace: AgentWorkspace) -> None:
    items = (await workspace.owner.client.get(f"{workspace.url}/agents")).json()["items"]
    [assistant] = [each for each in items if each["name"] == "assistant"]
    assert assistant["available"] is True
    assert assistant["input_schema"]["required"] == ["question"]
    assert set(assistant["output_schema"]["properties"]) == {"answer", "sources"}
