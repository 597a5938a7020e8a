from __future__ import annotations

import json
import threading
from dataclasses import replace

import pytest
from pydantic import field_validator

from partywall.core.resources import Resources
from partywall.features.runs.execution.steps import short
from tests.features.runs import assistant
from tests.features.runs.agent_workspace import AgentWorkspace
from tests.features.runs.model_server import Reply, calling, final


async def test_a_run_ends_with_the_agents_output(workspace: AgentWorkspace) -> None:
    workspace.model.says(final(answer="In ten days.", sources=[]))
    run = await workspace.run("When does the supplier deliver?")
    assert (run["status"], run["error"]) == ("succeeded", None), run
    assert run["output"] == {"answer": "In ten days.", "sources": []}
    [asked] = workspace.model.asked
    assert asked.prompt == "When does the supplier deliver?"
    assert asked.headers["authorization"] == "Bearer none"


async def test_events_tell_the_whole_story_in_order(workspace: AgentWorkspace) -> None:
    document = await workspace.document("Contract", "Within ten days.")
    workspace.model.says(calling("read", document_id=document), final(answer="In ten days.", sources=[document]))
    run = await workspace.run()
    assert await workspace.kinds(str(run["id"])) == [
        "queued", "started", "usage", "tool_called", "tool_returned", "usage", "succeeded",
    ]  # fmt: skip
    events = dict(await workspace.events(str(run["id"])))
    assert events["tool_called"]["arguments"] == {"document_id": document}
    assert events["tool_returned"]["ok"] is True
    assert events["tool_called"]["key"] == events["tool_returned"]["key"]
    assert workspace.model.asked[1].tool_results == ["Within ten days."]


async def test_tokens_arrive_gathered_and_whole(workspace: AgentWorkspace) -> None:
    answer = "word " * 60
    workspace.model.says(Reply(text="Let me see.", calls=final(answer=answer, sources=[]).calls, pause=0.01))
    run = await workspace.run()
    tokens = [data for kind, data in await workspace.events(str(run["id"])) if kind == "token"]
    assert "".join(str(each["text"]) for each in tokens if each["part"] == "text") == "Let me see. "
    assert answer in "".join(str(each["text"]) for each in tokens if each["part"] == "output")
    assert 3 < len(tokens) < 25


@pytest.mark.parametrize(
    ("code", "told"), [(ord("x"), "x"), (0, "\0"), (0xD800, "\ufffd"), (0xDFFF, "\ufffd"), (0x1F98A, "\U0001f98a")]
)
async def test_whatever_a_tool_returns_is_kept_and_sent(workspace: AgentWorkspace, code: int, told: str) -> None:
    workspace.model.says(calling("character", code=code), final(answer="Seen.", sources=[]))
    run = await workspace.run()
    assert (run["status"], run["error"]) == ("succeeded", None)
    [sent] = workspace.model.asked[1].tool_results
    assert json.loads(sent) == {"found": [f"<{told}>"]}


def test_a_long_integer_is_told_in_words() -> None:
    assert short(10**199) == 10**199
    assert short(-(10**200)) == "an integer of more than 200 digits"
    assert short(10**10_000) == "an integer of more than 200 digits"


async def test_an_input_is_validated_in_a_thread(resources: Resources) -> None:
    """Validation runs in a thread, because a costly schema would block the event loop."""

    class Order(assistant.Question):
        @field_validator("question")
        @classmethod
        def where(cls, _: str) -> str:
            return threading.current_thread().name

    checked = await replace(assistant.agent, input=Order).validated({"question": "Where?"}, resources.checks)
    assert checked.question.startswith("checks")
