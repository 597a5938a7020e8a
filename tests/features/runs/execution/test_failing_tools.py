"""Tools that raise, ask for another call, or lose their database."""

from __future__ import annotations

from contextlib import AbstractAsyncContextManager

import pytest
import structlog
from sqlalchemy.exc import TimeoutError as PoolTimeoutError

from partywall.core.db.session import AsyncSession
from partywall.core.tenancy import ProjectScope
from partywall.features.runs.execution.journal import Journal
from tests.features.runs.agent_workspace import (
    AgentWorkspace,
    Json,
    code_of,
    impatient_for_models,
)
from tests.features.runs.model_server import calling, final

pytestmark = pytest.mark.usefixtures("quick_retries")

DONE = final(answer="Done.", sources=[])


async def test_a_tool_that_raises_is_called_once(workspace: AgentWorkspace) -> None:
    workspace.model.says(calling("fail", again=False), DONE)
    with structlog.testing.capture_logs() as logs:
        run = await workspace.run()
    assert (code_of(run), len(workspace.model.asked)) == ("tool_failed", 1)
    assert "0000" not in str(run["error"])
    assert [type(log["exc_info"].__cause__) for log in logs if log["event"] == "run_failed"] == [RuntimeError]
    assert await calls_of(workspace, run) == [1]


async def test_a_tool_that_asks_for_it_is_called_again_later(workspace: AgentWorkspace) -> None:
    workspace.model.says(calling("fail", again=True), DONE)
    run = await workspace.start()
    async with workspace.working(impatient_for_models(workspace.resources)):
        found = await workspace.until(run)
    assert found["error"] == {"code": "tool_unavailable", "detail": "The scales are being calibrated."}
    [calls] = await calls_of(workspace, found)
    assert calls > 1


async def test_a_tool_whose_database_is_away_has_not_failed(
    workspace: AgentWorkspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    transaction, away = Journal.transaction, [ConnectionRefusedError(), PoolTimeoutError()]

    def refused(self: Journal) -> AbstractAsyncContextManager[tuple[AsyncSession, ProjectScope]]:
        if away:
            raise away.pop()
        return transaction(self)

    monkeypatch.setattr(Journal, "transaction", refused)
    document = await workspace.document()
    workspace.model.says(calling("append", document_id=document, text="once"), DONE)
    run = await workspace.run()
    assert (run["status"], away) == ("succeeded", []), run
    content = await workspace.owner.client.get(f"{workspace.url}/documents/{document}/content")
    assert content.text.count("once") == 1


async def calls_of(workspace: AgentWorkspace, run: Json) -> list[int]:
    sql = "SELECT attempts FROM run_step WHERE run_id::text = $1 AND name NOT LIKE '%.request%'"
    return [row["attempts"] for row in await workspace.users.fetch(sql, str(run["id"]))]
