"""Compares model calls, letters, documents, journal and streams after interrupted runs."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import asyncpg

from bench.agent_tasks import Plan
from bench.readers import Ledger, Reader
from bench.results import Result
from bench.workspace import OUTBOX, Workspace, parsed

ARRIVAL_SECONDS = 30.0
TERMINAL = ("run.succeeded", "run.failed", "run.cancelled")

_STEPS = """
    SELECT run_id::text AS run, name, number, attempts, extract(epoch FROM finished_at)::float8 AS finished
    FROM run_step
"""
# The last committed events may have no number yet.
NUMBER_EVENTS = "SELECT wall.catch_up_events(id, 1000000) FROM project"
_EVENTS = "SELECT project_id::text AS project, id, type, subject_id FROM event ORDER BY project_id, id"


@dataclass(frozen=True, slots=True)
class Letter:
    key: str
    letter: str
    at: float


@dataclass(frozen=True, slots=True)
class RunRecords:
    """`asked` lists the model calls: task, number of tool results so far, and Unix time."""

    plans: dict[str, Plan]
    asked: Sequence[tuple[str, int, float]]
    letters: Sequence[Letter]
    documents: dict[str, str]
    statuses: Counter[str]
    steps: Sequence[asyncpg.Record]
    events: Sequence[asyncpg.Record]
    followers: Sequence[Reader]
    all_ended: bool

    def finished(self, plan: Plan, kind: str, number: int) -> asyncpg.Record | None:
        """The plan's model call (`.request`) or tool call (`call_tool:`) by number, from 1; None if unfinished."""
        for step in self.steps:
            if step["run"] == plan.run and step["number"] == number and kind in step["name"] and step["finished"]:
                return step
        return None


async def read_records(
    workspace: Workspace,
    plans: dict[str, Plan],
    asked: Sequence[tuple[str, int, float]],
    followers: Sequence[Reader],
    *,
    all_ended: bool,
) -> RunRecords:
    outbox = workspace.deployment.directory / OUTBOX
    lines = parsed(await asyncio.to_thread(outbox.read_text))
    letters = [Letter(str(each["key"]), str(each["letter"]), float(str(each["at"]))) for each in lines]
    connection = await asyncpg.connect(workspace.deployment.superuser_url.replace("+asyncpg", "", 1))
    try:
        runs = await connection.fetch("SELECT status FROM run")
        contents = await connection.fetch("SELECT id::text, content FROM document")
        await connection.execute(NUMBER_EVENTS)
        steps, events = await connection.fetch(_STEPS), await connection.fetch(_EVENTS)
    finally:
        await connection.close()
    last = {row["project"]: row["id"] for row in events}
    async with asyncio.timeout(ARRIVAL_SECONDS):
        while any(each.ledger.last < last[each.project] for each in followers):  # noqa: ASYNC110 - polls counts
            await asyncio.sleep(0.1)
    return RunRecords(
        plans, list(asked), letters, {row["id"]: row["content"] for row in contents},
        Counter(row["status"] for row in runs), steps, events, followers, all_ended,
    )  # fmt: skip


def judge(records: RunRecords, kills: int) -> list[Result]:
    return [
        _outcomes(records),
        _model_calls(records, kills),
        _letters(records),
        _documents(records),
        _run_events(records),
        _streams(records),
    ]


def _outcomes(records: RunRecords) -> Result:
    succeeded = records.statuses["succeeded"] == len(records.plans) and records.all_ended
    return Result("runs that succeeded", f"{dict(records.statuses)}", f"{len(records.plans)}", succeeded)


def _model_calls(records: RunRecords, kills: int) -> Result:
    """No call is repeated after its result was stored, or made more often than the journal recorded a start."""
    late = often = repeated = 0
    by_run = Counter((task, at) for task, at, _ in records.asked)
    for (task, at), count in by_run.items():
        step = records.finished(records.plans[task], ".request", at + 1)
        repeated += count - 1
        often += step is None or count > step["attempts"]
        late += step is not None and any(
            when > step["finished"] for t, a, when in records.asked if (t, a) == (task, at)
        )
    wanted = {(plan.task, at) for plan in records.plans.values() for at in range(len(plan.calls) + 1)}
    measured = (
        f"{len(by_run)} model calls, {repeated} asked again in {kills} kills; {late} after they had finished, "
        f"{often} more often than begun, {len(wanted ^ set(by_run))} missing or unknown"
    )
    return Result(
        "finished model calls asked again", measured, "0, 0, 0", not late and not often and wanted == set(by_run)
    )


def _letters(records: RunRecords) -> Result:
    """An idempotent receiver gets each letter once, by its key."""
    keys: dict[str, set[str]] = {}
    for each in records.letters:
        keys.setdefault(each.key, set()).add(each.letter)
    seen = Counter(letter for letters in keys.values() for letter in letters)
    wanted = Counter(letter for plan in records.plans.values() for letter in plan.letters)
    late = sum(_sent_late(records, plan) for plan in records.plans.values())
    measured = (
        f"{len(records.letters)} letters sent, {len(records.letters) - len(keys)} of them again under the same key; "
        f"by key {sum(seen.values())} of {sum(wanted.values())}, {late} after the step had finished"
    )
    return Result("external effects, by idempotency key", measured, "each once, 0", seen == wanted and not late)


def _sent_late(records: RunRecords, plan: Plan) -> int:
    late = 0
    numbers: Counter[str] = Counter()
    for call in plan.calls:
        numbers[call.tool] += 1
        step = records.finished(plan, f"call_tool:{call.tool}", numbers[call.tool])
        sent = [each.at for each in records.letters if each.letter == call.arguments.get("letter")]
        late += step is None or any(at > step["finished"] for at in sent)
    return late


def _documents(records: RunRecords) -> Result:
    plans = records.plans.values()
    wrong = sum(records.documents[plan.document].splitlines() != ["Begun.", *plan.lines] for plan in plans)
    total = sum(len(plan.lines) for plan in plans)
    measured = f"{total} lines in {len(plans)} documents; {wrong} documents that differ from their plan"
    return Result("effects in the project", measured, "0", not wrong)


def _run_events(records: RunRecords) -> Result:
    """Each run starts once, each step has its events once, and the only terminal event is the last."""
    by_run: dict[str, list[str]] = {}
    for row in records.events:
        if row["type"].startswith("run."):
            by_run.setdefault(row["subject_id"], []).append(row["type"])
    wrong = sum(not _is_complete(plan, by_run.get(plan.run, [])) for plan in records.plans.values())
    measured = f"{sum(map(len, by_run.values())):,} events of {len(by_run)} runs; {wrong} runs with wrong events"
    return Result("events of the runs", measured, "0", not wrong)


def _is_complete(plan: Plan, types: Sequence[str]) -> bool:
    counts, calls = Counter(types), len(plan.calls)
    return (
        types[:2] == ["run.queued", "run.started"]
        and types[-1:] == ["run.succeeded"]
        and sum(counts[each] for each in TERMINAL) == 1
        and counts["run.started"] == 1
        and counts["run.tool_called"] == counts["run.tool_returned"] == calls
        and counts["run.usage"] == calls + 1
    )


def _streams(records: RunRecords) -> Result:
    """Compares what each follower received with the table."""
    tables: dict[str, Ledger] = {}
    for row in records.events:
        tables.setdefault(row["project"], Ledger()).enter(row["type"], row["id"], row["subject_id"])
    lost = sum(each.ledger.lost + max(0, tables[each.project].last - each.ledger.last) for each in records.followers)
    repeated = sum(each.ledger.repeated for each in records.followers)
    different = sum(each.ledger.digest != tables[each.project].digest for each in records.followers)
    measured = (
        f"{sum(each.ledger.received for each in records.followers):,} deliveries over "
        f"{sum(each.connections for each in records.followers)} connections: {lost} lost, {repeated} repeated or out "
        f"of order, {different} streams that differ from the table"
    )
    return Result("event streams", measured, "0, 0, 0", not (lost or repeated or different))
