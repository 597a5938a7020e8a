"""Tasks for the agent `bench` while workers are killed: several steps, each with an effect or a pause."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass

from tests.features.runs.model_server import Call, Reply, final

WORDS = "Let me see what there is to do next."
STEPS = (3, 6)
LONGEST = 0.6


@dataclass(slots=True)
class Plan:
    """The tool calls of one run, in order; `run` is its id once started."""

    task: str
    project: str
    document: str
    calls: Sequence[Call]
    run: str = ""

    def reply(self, answered: int, *, pause: float) -> Reply:
        """The model's reply after `answered` tool results."""
        if answered < len(self.calls):
            return Reply(WORDS, [self.calls[answered]], pause=pause)
        return Reply(calls=final(report=f"Done: {self.task}.").calls, pause=pause)

    @property
    def letters(self) -> list[str]:
        return [str(call.arguments["letter"]) for call in self.calls if call.tool == "send"]

    @property
    def lines(self) -> list[str]:
        return [str(call.arguments["line"]) for call in self.calls if call.tool == "append"]


def plan_of(number: int, project: str, document: str, chance: random.Random) -> Plan:
    task = f"task {number}"
    calls = [_call(f"{task} step {step}", document, chance) for step in range(chance.randint(*STEPS))]
    return Plan(task, project, document, calls)


def _call(name: str, document: str, chance: random.Random) -> Call:
    tool = chance.choice(("append", "append", "send", "send", "wait"))
    arguments: dict[str, object] = {"seconds": round(chance.uniform(0.0, LONGEST), 3)}
    if tool == "append":
        arguments |= {"document_id": document, "line": name}
    elif tool == "send":
        arguments["letter"] = name
    return Call(tool, arguments, id=f"call {name}")
