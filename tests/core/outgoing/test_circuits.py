from __future__ import annotations

from partywall.core.outgoing.circuits import FAILURES_UNTIL_OPEN, OPEN_SECONDS, Circuit, Circuits


def test_a_circuit_opens_and_lets_one_try() -> None:
    now = 100.0
    circuit = Circuit(lambda: now)
    for _ in range(FAILURES_UNTIL_OPEN):
        assert circuit.admits()
        circuit.record(success=False)
    assert not circuit.admits()
    now += OPEN_SECONDS
    assert [circuit.admits(), circuit.admits()] == [True, False]
    circuit.record(success=False)
    now += OPEN_SECONDS - 1
    assert not circuit.admits()
    now += 1
    assert circuit.admits()
    circuit.record(success=True)
    assert [circuit.admits(), circuit.admits()] == [True, True]


def test_whoever_tries_and_never_tells_keeps_nobody_out_for_ever() -> None:
    now = 100.0
    circuit = Circuit(lambda: now, failures=FAILURES_UNTIL_OPEN)
    assert [circuit.admits(), circuit.admits()] == [True, False]
    now += OPEN_SECONDS
    assert circuit.admits()


def test_only_failures_in_a_row_count() -> None:
    circuit = Circuit(lambda: 0.0)
    for _ in range(FAILURES_UNTIL_OPEN):
        circuit.record(success=False)
        circuit.record(success=True)
    assert circuit.admits()


def test_each_origin_has_its_own() -> None:
    circuits = Circuits()
    assert circuits.of("http://a:1") is circuits.of("http://a:1")
    assert circuits.of("http://a:1") is not circuits.of("http://a:2")
