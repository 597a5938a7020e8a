"""The language of a project is that of documents and queries that do not tell theirs."""

from __future__ import annotations

import json
from uuid import uuid4

from partywall.core.db.scopes import open_shared_scope
from partywall.core.tenancy import Principal
from partywall.features.documents.index_queue import IndexOutcome, Status, settle
from partywall.features.projects.jobs import PROJECT_LANGUAGE_CHANGED, ProjectLanguageChanged
from tests.features.search.search_workspace import SearchWorkspace
from tests.features.search.test_leases import taken
from tests.isolation.job_runner import run_job


async def test_documents_that_tell_no_language_have_that_of_the_project(workspace: SearchWorkspace) -> None:
    await workspace.put("Kündigungsfrist")
    await workspace.put("Ladefrist", metadata={"language": "xx"})
    await workspace.put("Trees", "Trees", metadata={"language": "en"})
    await workspace.put("Cities", "Cities", metadata={"language": "eng"})
    text = "The houses stand by the river, and it is not far from there to the town."
    await workspace.put("Houses", text)
    await workspace.work()
    assert await workspace.titles("Frist", mode="text") == []
    states = "SELECT jsonb_object_agg(title, state)::text FROM document WHERE project_id = $1"
    before = json.loads(str(await workspace.value(states, workspace.project)))

    url = f"/api/v1/projects/{workspace.project}"
    assert (await workspace.person.client.patch(url, json={"language": "ger"})).status_code == 200
    await workspace.work()
    assert {*await workspace.titles("Frist", mode="text")} == {"Kündigungsfrist", "Ladefrist"}
    assert await workspace.titles("tree", mode="text") == ["Trees"]
    assert await workspace.titles("house", mode="text") == ["Houses"]
    after = json.loads(str(await workspace.value(states, workspace.project)))
    assert {title for title in before if after[title] != before[title]} == {"Kündigungsfrist", "Ladefrist"}
    await workspace.put("Mietvertrag")
    await workspace.work()
    assert await workspace.titles("Vertrag", mode="text") == ["Mietvertrag"]


async def test_a_worker_settles_nothing_in_a_former_language(workspace: SearchWorkspace) -> None:
    await workspace.put("Kündigungsfrist")
    lease = uuid4()
    [claimed] = await taken(workspace, lease)
    url = f"/api/v1/projects/{workspace.project}"
    await workspace.person.client.patch(url, json={"language": "de"})
    principal = str(Principal.service(workspace.project))
    changed = ProjectLanguageChanged(project_id=workspace.project, principal=principal)
    await run_job(workspace.users, workspace.resources, PROJECT_LANGUAGE_CHANGED.name, changed)
    outcome = IndexOutcome.of(claimed, Status.INDEXED, chunks=1)
    async with workspace.resources.sessions.begin() as session:
        scope = await open_shared_scope(session, Principal.service(workspace.project), workspace.project)
        assert await settle(session, scope, lease, [outcome]) == set()
    await workspace.work()
    assert await workspace.titles("Frist", mode="text") == ["Kündigungsfrist"]


async def test_one_stop_word_is_one_in_the_language_of_the_project(workspace: SearchWorkspace) -> None:
    await workspace.put("Häuser", "Die Häuser am Fluss.", metadata={"language": "de"})
    await workspace.put("Die", "They die in the war.", metadata={"language": "en"})
    await workspace.work()
    assert set(await workspace.titles("die Häuser", mode="text")) == {"Häuser", "Die"}
    await workspace.person.client.patch(f"/api/v1/projects/{workspace.project}", json={"language": "de"})
    assert await workspace.titles("die Häuser", mode="text") == ["Häuser"]
