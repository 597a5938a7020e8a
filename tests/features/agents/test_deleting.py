"""What runs store counts in the bytes of their project, and is free again once they are deleted."""

from __future__ import annotations

from uuid import UUID, uuid4

from httpx2 import Response

from partywall.core.db import engine as engines
from partywall.core.db.session import Sessions
from partywall.features.quotas import operations
from tests.features.agents.bureau import Bureau
from tests.features.agents.model_server import final
from tests.features.quotas.conftest import exceeded

LEFT = """
    SELECT (SELECT count(*) FROM run WHERE project_id = $1) + (SELECT count(*) FROM run_turn WHERE project_id = $1)
        + (SELECT count(*) FROM run_step WHERE project_id = $1) AS rows,
        (SELECT sum(bytes) FROM project_usage WHERE project_id = $1)::bigint AS counted
"""


async def delete(bureau: Bureau, run: str) -> Response:
    return await bureau.owner.client.delete(f"{bureau.url}/runs/{run}")


async def used(bureau: Bureau) -> int:
    answer = await bureau.owner.client.get(f"{bureau.url}/usage")
    counted: int = answer.json()["bytes"]["used"]
    return counted


async def recounted(bureau: Bureau) -> bool:
    """Whether it was counted wrongly."""
    engine = engines.create_engine(bureau.database.owner, pool_size=1, overflow=0, settings={})
    try:
        async with Sessions(engine).begin() as session:
            return await operations.recount(session, bureau.project)
    finally:
        await engine.dispose()


async def test_what_a_run_stores_counts_until_it_is_deleted(bureau: Bureau) -> None:
    assert await used(bureau) == 0
    bureau.model.says(final(answer="Soon. " * 500, sources=[]))
    run = await bureau.start("When? " * 100)
    assert 1_600 < (started := await used(bureau)) < 2_000
    async with bureau.working():
        await bureau.until(run)
    # The answer stands in the output, in the journal and in the messages.
    assert await used(bureau) > started + 3 * 3_000
    assert not await recounted(bureau)
    assert (await delete(bureau, run)).status_code == 204
    [left] = await bureau.people.fetch(LEFT, bureau.project)
    assert tuple(left) == (0, 0)
    assert (await bureau.owner.client.get(f"{bureau.url}/runs/{run}")).status_code == 404
    assert (await bureau.kinds(run))[-1] == "deleted"


async def test_a_full_project_starts_no_run_until_one_is_deleted(bureau: Bureau) -> None:
    bureau.model.says(final(answer="Soon.", sources=[]))
    run = str((await bureau.run())["id"])
    await bureau.people.execute(
        "INSERT INTO project_quota (project_id, quota, most) VALUES ($1, 'bytes', $2)", bureau.project, 1_500
    )
    refused = await bureau.post()
    assert exceeded(refused) == (403, "bytes", await used(bureau), 1_500)
    assert (await delete(bureau, run)).status_code == 204
    await bureau.start()
    assert exceeded(await bureau.post("x" * 1_000))[:2] == (403, "bytes")


async def test_only_what_is_over_is_deleted(bureau: Bureau) -> None:
    run = await bureau.start()
    refused = await delete(bureau, run)
    assert (refused.status_code, refused.json()["code"]) == (409, "run_not_finished")
    assert (await delete(bureau, str(uuid4()))).json()["code"] == "run_not_found"
    assert (await bureau.owner.client.post(f"{bureau.url}/runs/{run}/cancel")).status_code == 200
    assert (await delete(bureau, run)).status_code == 204


async def test_no_stored_answer_and_no_later_run_shows_a_deleted_one(bureau: Bureau) -> None:
    bureau.model.says(final(answer="Soon.", sources=[]))
    body = {"agent": "assistant", "input": {"question": "Secret?"}}
    keyed = {"Idempotency-Key": "once"}
    first = await bureau.owner.client.post(f"{bureau.url}/runs", json=body, headers=keyed)
    run = first.json()["id"]
    async with bureau.working():
        await bureau.until(run)
    later = await bureau.start(continues=run)
    before = (await bureau.owner.client.get(f"{bureau.url}/runs/{later}")).headers["ETag"]
    assert (await delete(bureau, run)).status_code == 204
    after = await bureau.owner.client.get(f"{bureau.url}/runs/{later}")
    assert (after.json()["continues"], after.headers["ETag"] == before) == (None, False)
    again = await bureau.owner.client.post(f"{bureau.url}/runs", json=body, headers=keyed)
    assert (again.status_code, "Secret" in again.text) == (404, False)
    query = "SELECT FROM idempotency_key WHERE project_id = $1 AND body <> ''"
    assert await bureau.people.fetch(query, UUID(str(bureau.project))) == []
