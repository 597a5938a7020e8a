from __future__ import annotations

import asyncio
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import timedelta
from email.utils import format_datetime

import pytest

from partywall.core.clock import utc_now
from partywall.core.outgoing.circuits import FAILURES_UNTIL_OPEN, Circuit, CircuitOpenError
from partywall.core.outgoing.retries import Faults, Retries, ask, note_asked, seconds_asked
from partywall.core.tenant import Tenant, set_current_tenant

RETRIES = Retries(3, first=1.0, longest=20.0)
QUICK = Retries(3, first=0.001)
FAULTS = Faults(all=(OSError,), repeated=(ConnectionError,), unreached=(ConnectionRefusedError,))


@dataclass
class FakeResponse:
    status_code: int = 200
    headers: dict[str, str] = field(default_factory=dict)
    closed: bool = False

    async def aclose(self) -> None:
        self.closed = True


@dataclass
class Server:
    """Answers or fails in turn and repeats the last one."""

    turns: list[FakeResponse | Exception]
    asked: int = 0

    async def __call__(self) -> FakeResponse:
        self.asked += 1
        turn = self.turns.pop(0) if len(self.turns) > 1 else self.turns[0]
        if isinstance(turn, Exception):
            raise turn
        return turn


def test_pauses_double_and_vary_and_have_an_end() -> None:
    for attempt, longest in ((1, 1.0), (2, 2.0), (3, 4.0)):
        pauses = {RETRIES.after_failure(attempt) or 0.0 for _ in range(20)}
        assert len(pauses) > 1
        assert all(longest / 2 <= pause <= longest for pause in pauses)
    assert RETRIES.after_failure(4) is None
    assert (Retries(99, first=1.0, longest=20.0).after_failure(60) or 99) <= 20


@pytest.mark.parametrize("status", [408, 429, 500, 502, 503, 504, 529])
def test_temporary_failures_are_retried(status: int) -> None:
    assert RETRIES.after_answer(1, FakeResponse(status)) is not None


@pytest.mark.parametrize("status", [200, 204, 302, 400, 401, 403, 404, 413, 422, 501])
def test_final_failures_are_not_retried(status: int) -> None:
    assert RETRIES.after_answer(1, FakeResponse(status)) is None


def test_the_server_says_how_long_to_wait_within_bounds() -> None:
    assert RETRIES.after_answer(1, FakeResponse(429, {"retry-after": "7"})) == 7
    assert (RETRIES.after_answer(1, FakeResponse(503, {"retry-after": "0"})) or 0) >= 0.5
    assert RETRIES.after_answer(1, FakeResponse(429, {"retry-after": "21"})) is None
    assert RETRIES.after_answer(1, FakeResponse(429, {"x-should-retry": "false"})) is None
    assert RETRIES.after_answer(4, FakeResponse(429, {"retry-after": "1"})) is None


def test_a_time_to_come_back_is_counted_from_now() -> None:
    date = format_datetime(utc_now() + timedelta(seconds=900), usegmt=True)
    assert 0 < (seconds_asked({"retry-after": date}) or 0) <= 900


def test_retry_after_is_written_in_whole_seconds() -> None:
    headers = {"retry-after": "1.2"}
    note_asked(headers, b"")
    assert headers == {"retry-after": "2"}
    unsaid: dict[str, str] = {}
    note_asked(unsaid, b"{}")
    assert unsaid == {}


async def test_a_discarded_response_is_closed() -> None:
    busy = FakeResponse(503)
    answer = await ask(Server([busy, FakeResponse(200)]), Circuit(), QUICK, FAULTS)
    assert (answer.status_code, answer.closed, busy.closed) == (200, False, True)


async def test_the_last_response_or_failure_is_returned() -> None:
    busy, away = Server([FakeResponse(503)]), Server([ConnectionResetError()])
    assert (await ask(busy, Circuit(), QUICK, FAULTS)).status_code == 503
    with pytest.raises(ConnectionResetError):
        await ask(away, Circuit(), QUICK, FAULTS)
    assert (busy.asked, away.asked) == (4, 4)


async def test_a_timeout_is_a_failure_and_not_retried() -> None:
    silent, circuit = Server([TimeoutError()]), Circuit()
    for _ in range(FAILURES_UNTIL_OPEN):
        with pytest.raises(TimeoutError):
            await ask(silent, circuit, QUICK, FAULTS)
    assert silent.asked == FAILURES_UNTIL_OPEN
    with pytest.raises(CircuitOpenError):
        await ask(silent, circuit, QUICK, FAULTS)


async def test_an_open_circuit_fails_at_once() -> None:
    server, circuit = Server([FakeResponse(500)]), Circuit()
    for _ in range(2):
        await ask(server, circuit, QUICK, FAULTS)
    with pytest.raises(CircuitOpenError) as caught:
        await ask(server, circuit, Retries(99, first=60), FAULTS)
    assert (server.asked, caught.value.by_all) == (FAILURES_UNTIL_OPEN, False)


@pytest.mark.parametrize(
    ("failure", "asked"), [(FakeResponse(500), 1), (ConnectionResetError(), 1), (ConnectionRefusedError(), 0)]
)
async def test_one_tenants_failures_do_not_count_for_others(failure: FakeResponse | Exception, asked: int) -> None:
    """Only a request that was never sent counts for all tenants."""
    failing, well, circuit = Server([failure]), Server([FakeResponse(200)]), Circuit()

    async def ask_for(tenant: str, server: Server) -> None:
        set_current_tenant(Tenant(tenant))
        await ask(server, circuit, QUICK, FAULTS)

    async def work(tenant: str, server: Server) -> None:
        with suppress(OSError, CircuitOpenError):
            await asyncio.create_task(ask_for(tenant, server))

    for _ in range(FAILURES_UNTIL_OPEN):
        await work("a", failing)
    await work("b", well)
    assert (failing.asked, well.asked) == (FAILURES_UNTIL_OPEN, asked)


async def test_too_many_requests_is_no_failure_of_the_server() -> None:
    circuit = Circuit()
    for _ in range(FAILURES_UNTIL_OPEN - 1):
        circuit.unreached()
    await ask(Server([FakeResponse(429)]), circuit, QUICK, FAULTS)
    circuit.unreached()
    circuit.admit("a")
