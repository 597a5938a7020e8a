from __future__ import annotations

from dataclasses import dataclass

import pytest

from partywall.core.outgoing.circuits import (
    COUNTED_OF_EACH,
    FAILURES_UNTIL_OPEN,
    OPEN_SECONDS,
    TRIAL_SECONDS,
    Circuit,
    CircuitOpenError,
    Circuits,
)

SEVERAL = [f"tenant {number}" for number in range(FAILURES_UNTIL_OPEN // COUNTED_OF_EACH)]


@dataclass
class Clock:
    now: float = 100.0

    def __call__(self) -> float:
        return self.now


def admits(circuit: Circuit, tenant: str = "a") -> bool:
    return turned_away(circuit, tenant) is None


def turned_away(circuit: Circuit, tenant: str = "a") -> float | None:
    """For how many seconds."""
    try:
        circuit.admit(tenant)
    except CircuitOpenError as error:
        return error.after
    return None


def fails(circuit: Circuit, *tenants: str) -> None:
    """Fails until these tenants are turned away."""
    for _ in range(FAILURES_UNTIL_OPEN):
        for tenant in tenants:
            circuit.failed(tenant)


def test_a_circuit_opens_and_lets_one_try() -> None:
    clock = Clock()
    circuit = Circuit(clock)
    for _ in range(FAILURES_UNTIL_OPEN):
        assert admits(circuit)
        circuit.failed("a")
    assert turned_away(circuit) == OPEN_SECONDS
    clock.now += OPEN_SECONDS
    assert [turned_away(circuit), turned_away(circuit)] == [None, TRIAL_SECONDS]
    circuit.failed("a")
    clock.now += OPEN_SECONDS - 1
    assert turned_away(circuit) == 1
    clock.now += 1
    assert admits(circuit)
    circuit.succeeded("a")
    assert [admits(circuit), admits(circuit)] == [True, True]


def test_a_trial_without_a_result_expires() -> None:
    clock = Clock()
    circuit = Circuit(clock)
    fails(circuit, "a")
    clock.now += OPEN_SECONDS
    assert [admits(circuit), admits(circuit)] == [True, False]
    clock.now += OPEN_SECONDS
    assert admits(circuit)


def test_only_failures_in_a_row_count() -> None:
    circuit = Circuit(Clock())
    for _ in range(FAILURES_UNTIL_OPEN):
        circuit.failed("a")
        circuit.succeeded("a")
    assert admits(circuit)


def test_failures_of_one_tenant_do_not_block_others() -> None:
    circuit = Circuit(Clock())
    fails(circuit, "a", "a", "a")
    assert [admits(circuit, "a"), admits(circuit, "b")] == [False, True]
    circuit.succeeded("b")
    assert not admits(circuit, "a")


def test_failures_of_several_tenants_open_the_circuit_for_all() -> None:
    circuit = Circuit(Clock())
    for tenant in SEVERAL * COUNTED_OF_EACH:
        assert admits(circuit, tenant)
        circuit.failed(tenant)
    with pytest.raises(CircuitOpenError) as caught:
        circuit.admit("another")
    assert caught.value.by_all


def test_an_unreachable_server_opens_the_circuit_for_all() -> None:
    clock = Clock()
    circuit = Circuit(clock)
    for _ in range(FAILURES_UNTIL_OPEN):
        assert admits(circuit)
        circuit.unreached()
    assert not admits(circuit, "b")
    clock.now += OPEN_SECONDS
    assert admits(circuit)
    circuit.succeeded("a")
    assert admits(circuit, "b")


def test_a_failed_trial_leaves_the_next_to_another_tenant() -> None:
    clock = Clock()
    circuit = Circuit(clock)
    fails(circuit, "a", *SEVERAL)
    clock.now += OPEN_SECONDS
    assert admits(circuit, "a")
    circuit.failed("a")
    assert [admits(circuit, "a"), admits(circuit, "b"), admits(circuit, "c")] == [False, True, False]
    circuit.succeeded("b")
    assert [admits(circuit, "a"), admits(circuit, "c")] == [False, True]


def test_any_number_of_tenants_takes_bounded_memory() -> None:
    circuit = Circuit(Clock())
    for number in range(3_000):
        circuit.failed(str(number))
    assert len(circuit._shares) <= 1_000


def test_each_origin_has_its_own_circuit() -> None:
    circuits = Circuits()
    assert circuits.of("http://a:1") is circuits.of("http://a:1")
    assert circuits.of("http://a:1") is not circuits.of("http://a:2")
