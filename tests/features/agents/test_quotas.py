"""Runs and spending in a month: by the operator's limits, whatever the project sets for itself."""

from __future__ import annotations

from decimal import Decimal

import pytest

from partywall.features.agents.budgets import cost_limit
from tests.features.agents.bureau import Bureau, code_of
from tests.features.agents.model_server import final
from tests.features.quotas.conftest import exceeded


async def limit(bureau: Bureau, quota: str, most: str) -> None:
    await bureau.people.execute(
        "INSERT INTO project_quota (project_id, quota, most) VALUES ($1, $2, $3::text::numeric)",
        bureau.project, quota, most,
    )  # fmt: skip


def dollars(amount: str) -> dict[str, object]:
    return {"cost": {"amount": amount, "currency": "USD"}}


async def test_runs_of_a_month(bureau: Bureau) -> None:
    await limit(bureau, "runs", "2")
    for _ in range(2):
        assert (await bureau.post()).status_code == 202
    refused = await bureau.post()
    assert exceeded(refused) == (403, "runs", 2, 2)
    usage = (await bureau.owner.client.get(f"{bureau.url}/usage")).json()
    assert (usage["runs"]["used"], usage["runs"]["limit"]) == (2, 2)
    assert len((await bureau.owner.client.get(f"{bureau.url}/runs")).json()["items"]) == 2


async def test_no_budget_passes_the_operators_spending(bureau: Bureau) -> None:
    await limit(bureau, "spending", "5")
    refused = await bureau.owner.client.put(f"{bureau.url}/budget", json=dollars("5.01"))
    assert exceeded(refused) == (403, "spending", "0.00", "5.00")
    for within, shown in ((dollars("4"), "4.00"), ({}, "5.00")):
        answer = await bureau.owner.client.put(f"{bureau.url}/budget", json=within)
        assert answer.status_code == 200
        assert answer.json()["limits"]["cost"]["amount"] == shown


@pytest.mark.parametrize("quota", ["spending", "budget"])
async def test_what_the_operator_allows_is_spent_and_no_more(bureau: Bureau, quota: str) -> None:
    bureau.model.says(final(answer="Soon.", sources=[]))
    await limit(bureau, quota, "0")
    run = await bureau.run()
    assert code_of(run) == "project_budget_exceeded"
    assert len(bureau.model.asked) == 0
    # What the project sets goes before the operator's usual budget, and not above the operator's spending.
    allowed = await bureau.owner.client.put(f"{bureau.url}/budget", json={})
    assert allowed.status_code == 200
    assert (await bureau.run())["status"] == ("failed" if quota == "spending" else "succeeded")


def test_the_lowest_of_the_limits_of_cost() -> None:
    one, two = Decimal(1), Decimal(2)
    assert cost_limit(None, None, None, own=False) is None
    assert cost_limit(None, one, two, own=False) == one
    assert cost_limit(None, one, two, own=True) == two
    assert cost_limit(one, None, two, own=True) == one
    assert cost_limit(two, one, None, own=True) == two


async def test_an_input_is_kept_and_so_it_is_not_large(bureau: Bureau) -> None:
    answer = await bureau.post("w" * (256 * 1024))
    assert answer.status_code == 422
    assert answer.json()["errors"] == [{"pointer": "/input", "message": "An input may have at most 262144 bytes"}]
