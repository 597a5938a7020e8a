from __future__ import annotations

from uuid import uuid4

import pytest
from asgi_lifespan import LifespanManager
from fastapi import FastAPI
from httpx2 import ASGITransport, AsyncClient

from partywall.core.pagination import PAGE_BYTES
from partywall.features.agents.builtin import AGENTS
from partywall.main import create_app
from partywall.settings import Settings
from tests.features.runs.agent_workspace import AgentWorkspace
from tests.features.runs.model_server import final

RUN = "00000000-0000-4000-8000-000000000000"
ROUTES = [
    ("POST", "/runs"),
    ("GET", "/runs"),
    ("GET", f"/runs/{RUN}"),
    ("POST", f"/runs/{RUN}/cancel"),
    ("POST", f"/runs/{RUN}/decision"),
    ("GET", f"/runs/{RUN}/events"),
]
BODIES: dict[str, dict[str, object]] = {"/runs": {"agent": "assistant", "input": {"question": "?"}}}


def body_of(path: str) -> dict[str, object]:
    return {"pending_id": "pending_x", "approve": True} if path.endswith("/decision") else BODIES.get(path, {})


@pytest.mark.parametrize(("method", "path"), ROUTES)
async def test_nobody_without_a_credential(anonymous: AsyncClient, method: str, path: str) -> None:
    answer = await anonymous.request(method, f"/api/v1/projects/{uuid4()}{path}", json=body_of(path))
    assert answer.status_code == 401


@pytest.mark.parametrize(("method", "path"), ROUTES)
async def test_an_outsider_sees_no_project(workspace: AgentWorkspace, method: str, path: str) -> None:
    outsider = await workspace.users.person()
    answer = await outsider.client.request(method, f"{workspace.url}{path}", json=body_of(path))
    assert (answer.status_code, answer.json()["code"]) == (404, "project_not_found")


async def test_another_project_sees_no_run(workspace: AgentWorkspace) -> None:
    run, other = await workspace.start(), await workspace.owner.project()
    for method, path in (("GET", ""), ("POST", "/cancel"), ("POST", "/decision"), ("GET", "/events")):
        url = f"/api/v1/projects/{other}/runs/{run}{path}"
        answer = await workspace.owner.client.request(method, url, json=body_of(path))
        assert (answer.status_code, answer.json()["code"]) == (404, "run_not_found"), path
    assert (await workspace.owner.client.get(f"/api/v1/projects/{other}/runs")).json()["items"] == []
    body = {**BODIES["/runs"], "continues": run}
    answer = await workspace.owner.client.post(f"/api/v1/projects/{other}/runs", json=body)
    assert (answer.status_code, answer.json()["code"]) == (404, "run_not_found")


def test_the_contract_has_the_types_of_the_shipped_agents_outputs(app: FastAPI) -> None:
    schemas = app.openapi()["components"]["schemas"]
    choices = schemas["Run"]["properties"]["output"]["anyOf"]
    found = [schemas[each["$ref"].rpartition("/")[2]] if "$ref" in each else each for each in choices]
    by_title = {each["title"]: each for each in found if "title" in each}
    for agent in AGENTS:
        schema = agent.output.model_json_schema(mode="serialization")
        shown = by_title[schema["title"]]
        assert (shown["required"], shown["properties"].keys()) == (schema["required"], schema["properties"].keys())
    assert {"type": "null"} in choices
    assert {"type": "object"}.items() <= found[len(AGENTS)].items(), "the output of the operator's own agents"


async def test_a_run_begins_queued(workspace: AgentWorkspace) -> None:
    answer = await workspace.post("When does it arrive?")
    assert answer.status_code == 202, answer.text
    run = answer.json()
    assert answer.headers["location"] == f"{workspace.url}/runs/{run['id']}"
    assert (run["status"], run["input"]) == ("queued", {"question": "When does it arrive?"})
    assert run["usage"] == {
        "model_calls": 0, "tool_calls": 0, "input_tokens": 0, "output_tokens": 0, "seconds": 0.0,
        "cost": {"amount": "0.00", "currency": "USD"},
    }  # fmt: skip
    assert (await workspace.get(run["id"])) == run
    assert await workspace.kinds(run["id"]) == ["queued"]


async def test_a_repeat_under_a_key_starts_nothing(workspace: AgentWorkspace) -> None:
    headers = {"Idempotency-Key": "once"}
    body = BODIES["/runs"]
    first = await workspace.owner.client.post(f"{workspace.url}/runs", json=body, headers=headers)
    again = await workspace.owner.client.post(f"{workspace.url}/runs", json=body, headers=headers)
    assert (again.status_code, again.json()) == (202, first.json())
    assert again.headers["idempotent-replayed"] == "true"
    assert len((await workspace.owner.client.get(f"{workspace.url}/runs")).json()["items"]) == 1


@pytest.mark.parametrize(
    ("input_", "pointer"),
    [({}, "/input/question"), ({"question": ""}, "/input/question"), ({"question": "?", "more": 1}, "/input/more")],
)
async def test_input_that_does_not_fit_is_pointed_at(
    workspace: AgentWorkspace, input_: dict[str, object], pointer: str
) -> None:
    answer = await workspace.owner.client.post(f"{workspace.url}/runs", json={"agent": "assistant", "input": input_})
    assert (answer.status_code, answer.json()["code"]) == (422, "validation_failed")
    assert [each["pointer"] for each in answer.json()["errors"]] == [pointer]


async def test_an_unknown_agent(workspace: AgentWorkspace) -> None:
    answer = await workspace.owner.client.post(f"{workspace.url}/runs", json={"agent": "nobody", "input": {}})
    assert (answer.status_code, answer.json()["code"]) == (404, "agent_not_found")


@pytest.mark.parametrize(("role", "status"), [("viewer", 403), ("editor", 202), ("admin", 202)])
async def test_editors_start_runs(workspace: AgentWorkspace, role: str, status: int) -> None:
    person = await workspace.users.person()
    await workspace.users.join(workspace.project, person, role)
    answer = await person.client.post(f"{workspace.url}/runs", json=BODIES["/runs"])
    assert answer.status_code == status
    if status == 403:
        assert answer.json()["right"] == "run.start"
    assert (await person.client.get(f"{workspace.url}/runs")).status_code == 200


async def test_a_key_starts_and_follows_runs(workspace: AgentWorkspace) -> None:
    made = await workspace.owner.client.post(f"{workspace.url}/api-keys", json={"name": "k", "role": "editor"})
    headers = {"Authorization": f"Bearer {made.json()['secret']}"}
    answer = await workspace.owner.client.post(f"{workspace.url}/runs", json=BODIES["/runs"], headers=headers)
    assert answer.status_code == 202
    workspace.model.says(final(answer="Soon.", sources=[]))
    async with workspace.working():
        assert (await workspace.until(answer.json()["id"]))["status"] == "succeeded"


async def test_a_page_of_large_runs_ends_earlier_and_the_next_goes_on(workspace: AgentWorkspace) -> None:
    runs = [await workspace.start() for _ in range(8)]
    large = "UPDATE run SET input = jsonb_build_object('question', repeat('x', 190000)) WHERE id = ANY ($1)"
    await workspace.users.execute(large, runs)
    url = f"{workspace.url}/runs"
    first = await workspace.owner.client.get(url, params={"limit": 100, "offset": 0})
    assert PAGE_BYTES < len(first.content) < PAGE_BYTES + 200_000
    assert first.json()["total"] == 8
    rest = await workspace.owner.client.get(url, params={"limit": 100, "cursor": first.json()["next_cursor"]})
    assert rest.json()["next_cursor"] is None
    seen = [each["id"] for each in (*first.json()["items"], *rest.json()["items"])]
    assert seen == runs[::-1]


async def test_the_list_is_filtered_and_walked(workspace: AgentWorkspace) -> None:
    runs = [await workspace.start() for _ in range(3)]
    await workspace.owner.client.post(f"{workspace.url}/runs/{runs[0]}/cancel")
    url = f"{workspace.url}/runs"
    page = (await workspace.owner.client.get(url, params={"status": "queued", "limit": 1})).json()
    assert [each["id"] for each in page["items"]] == [runs[2]]
    following = await workspace.owner.client.get(
        url, params={"status": "queued", "limit": 1, "cursor": page["next_cursor"]}
    )
    assert [each["id"] for each in following.json()["items"]] == [runs[1]]
    assert following.json()["next_cursor"] is None
    other = await workspace.owner.client.get(url, params={"limit": 1, "cursor": page["next_cursor"]})
    assert other.status_code == 422
    counted = (await workspace.owner.client.get(url, params={"offset": 0, "agent": "assistant"})).json()
    assert counted["total"] == 3
    assert (await workspace.owner.client.get(url, params={"agent": "other"})).json()["items"] == []


async def test_the_entity_tag_changes_with_the_run(workspace: AgentWorkspace) -> None:
    run = await workspace.start()
    url = f"{workspace.url}/runs/{run}"
    tag = (await workspace.owner.client.get(url)).headers["etag"]
    assert (await workspace.owner.client.get(url, headers={"If-None-Match": tag})).status_code == 304
    await workspace.owner.client.post(f"{url}/cancel")
    assert (await workspace.owner.client.get(url, headers={"If-None-Match": tag})).status_code == 200


async def test_a_decision_needs_a_run_that_waits(workspace: AgentWorkspace) -> None:
    answer = await workspace.owner.client.post(
        f"{workspace.url}/runs/{await workspace.start()}/decision", json={"pending_id": "pending_x", "approve": True}
    )
    assert (answer.status_code, answer.json()["code"]) == (409, "run_not_waiting")


async def test_only_a_run_that_succeeded_is_continued(workspace: AgentWorkspace) -> None:
    answer = await workspace.post(continues=await workspace.start())
    assert (answer.status_code, answer.json()["code"]) == (409, "run_not_continuable")


async def test_without_a_model_nothing_runs(workspace: AgentWorkspace, settings: Settings) -> None:
    bare = settings.model_copy(update={"agents": settings.agents.model_copy(update={"model": None})})
    app = create_app(bare)
    async with (
        LifespanManager(app, startup_timeout=60, shutdown_timeout=60),
        AsyncClient(transport=ASGITransport(app), base_url="http://test") as client,
    ):
        client.headers["Authorization"] = f"Bearer {workspace.owner.token}"
        answer = await client.post(f"{workspace.url}/runs", json=BODIES["/runs"])
        assert (answer.status_code, answer.json()["code"]) == (503, "agent_model_not_configured")
        assert {each["available"] for each in (await client.get(f"{workspace.url}/agents")).json()["items"]} == {False}
