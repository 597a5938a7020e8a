from __future__ import annotations

import pytest

from partywall.core.http.request_facts import begin_request, read_traceparent, traceparent_of
from partywall.core.outgoing.correlation import correlated, correlation_headers

TRACE = "4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"


@pytest.mark.parametrize("given", [f"00-{TRACE}", f"01-{TRACE}", f"01-{TRACE}-more", f"fe-{TRACE}-"])
def test_a_trace_is_passed_on_as_version_00(given: str) -> None:
    assert read_traceparent(given.encode()) == f"00-{TRACE}"


@pytest.mark.parametrize(
    "given",
    [
        "", "00", f"00-{TRACE}-more", f"ff-{TRACE}", f"00-{TRACE.upper()}", f"00-{TRACE}\n", f" 00-{TRACE}",
        f"00-{'0' * 32}-00f067aa0ba902b7-01", f"00-4bf92f3577b34da6a3ce929d0e0e4736-{'0' * 16}-01",
        f"01-{TRACE}-" + "a" * 500,
    ],
)  # fmt: skip
def test_an_invalid_traceparent_is_ignored(given: str) -> None:
    assert read_traceparent(given.encode()) is None


def test_more_than_one_traceparent_is_ignored() -> None:
    header = (b"traceparent", f"00-{TRACE}".encode())
    assert traceparent_of({"type": "http", "headers": [header]}) == f"00-{TRACE}"
    assert traceparent_of({"type": "http", "headers": [header, header]}) is None
    assert traceparent_of({"type": "http", "headers": []}) is None


async def test_an_outgoing_call_carries_its_requests_trace() -> None:
    """A test is a task, so what it binds ends with it."""
    headers = [(b"traceparent", f"00-{TRACE}".encode())]
    begin_request({"type": "http", "headers": headers, "state": {"request_id": "the-request"}})
    assert correlation_headers() == {"x-request-id": "the-request", "traceparent": f"00-{TRACE}"}


async def test_deferred_work_keeps_its_requests_context() -> None:
    with correlated(request_id="earlier", traceparent=f"00-{TRACE}"):
        assert correlation_headers() == {"x-request-id": "earlier", "traceparent": f"00-{TRACE}"}
    assert correlation_headers() == {}
