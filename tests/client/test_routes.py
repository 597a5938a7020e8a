"""What the client prints when it does not reach Partywall: a wrong address, a proxy, another server's response."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from partywall.client.accounts import normalize
from partywall.client.api import Api, RetryBudget
from partywall.client.errors import ClientError
from partywall.client.projects import list_projects
from partywall.client.tokens import KeyAuth, TokenAuth
from partywall.commands.connection import failures
from partywall.commands.usage_error import UsageError
from tests.client.conftest import Person
from tests.server import free_port

ELSEWHERE = "http://partywall.invalid"


@contextmanager
def answering(status: int, body: bytes = b"<html>", **headers: str) -> Iterator[str]:
    """A proxy, or an unrelated server, that gives this response to everything."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(status)
            for name, value in {"Content-Type": "text/html", **headers}.items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def do_CONNECT(self) -> None:
            self.do_GET()

        def log_message(self, *_: object) -> None: ...

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


@pytest.fixture(autouse=True)
def no_proxies(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("http_proxy", "https_proxy", "all_proxy", "no_proxy"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)


def error_of(server: str) -> str:
    """The one line that a command prints."""
    with pytest.raises(UsageError) as refusal, failures(), Api(server, None, RetryBudget(0.0)) as api:
        list_projects(api)
    assert "\n" not in refusal.value.message
    return refusal.value.message


@pytest.mark.parametrize("path", ["/api/v1", "/api/v1/", "/api/v1/projects", "/api/v1/projects?limit=1"])
def test_the_address_of_the_api_is_not_the_servers(path: str) -> None:
    with pytest.raises(ClientError, match=r"not of the server: use http://localhost:8000$"):
        normalize(f"localhost:8000{path}")
    with pytest.raises(ClientError, match=r"use https://example\.test/below$"):
        normalize(f"https://example.test/below{path}")


@pytest.mark.parametrize(
    "server", ["localhost:8000?x=1", "localhost:8000#x", "http://me:secret@localhost:8000", "ftp://x"]
)
def test_an_invalid_server_address_is_reported(server: str) -> None:
    with pytest.raises(ClientError, match="server URL") as refusal:
        normalize(server)
    assert "secret" not in str(refusal.value)


def test_a_wrong_path_is_reported(person: Person) -> None:
    message = error_of(f"{person.server}/app")
    assert "answered 404" in message
    assert "check that --server is its URL, without a path" in message


@pytest.mark.parametrize(
    ("status", "body", "kind"), [(200, b"<html>", "text/html"), (200, b'{"id": 1}', "application/json"),
                                 (404, b"{}", "application/json"), (500, b"oops", "text/plain")],
)  # fmt: skip
def test_the_response_of_another_server_is_reported(status: int, body: bytes, kind: str) -> None:
    with answering(status, body, **{"Content-Type": kind}) as server:
        assert "check that --server is its URL" in error_of(server)


def test_the_target_of_a_redirect_is_shown() -> None:
    with answering(301, Location="https://example.test/api/v1/projects?limit=100") as server:
        assert error_of(server) == f"{server} redirects to https://example.test: use that as --server"


@pytest.mark.parametrize("status", [403, 407, 502])
@pytest.mark.parametrize("scheme", ["http", "https"])
def test_a_proxy_that_refuses_is_named(monkeypatch: pytest.MonkeyPatch, status: int, scheme: str) -> None:
    with answering(status) as proxy:
        monkeypatch.setenv(f"{scheme}_proxy", proxy)
        message = error_of(ELSEWHERE.replace("http", scheme, 1))
    assert str(status) in message
    assert f"through the proxy in {scheme.upper()}_PROXY: set NO_PROXY=partywall.invalid to bypass it" in message


def test_a_proxy_that_is_away_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("all_proxy", f"http://me:secret@127.0.0.1:{free_port()}")
    message = error_of(ELSEWHERE)
    assert message.startswith(f"cannot reach {ELSEWHERE}: ")
    assert "ALL_PROXY" in message
    assert "secret" not in message


def test_an_invalid_proxy_is_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    for value, kind in (
        ("gopher://127.0.0.1:1", "proxy"),
        ("socks5://127.0.0.1:1", "SOCKS proxy"),
        ("http://[::", "proxy"),
    ):
        monkeypatch.setenv("http_proxy", value)
        assert error_of(ELSEWHERE).startswith(f"cannot use the {kind} from the environment: ")


def test_invalid_certificates_are_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", "/nowhere/ca.pem")
    assert error_of(ELSEWHERE).startswith("cannot use SSL_CERT_FILE or SSL_CERT_DIR: ")


def test_loopback_requests_use_no_proxy(person: Person, monkeypatch: pytest.MonkeyPatch) -> None:
    with answering(403) as proxy:
        for name in ("http_proxy", "all_proxy"):
            monkeypatch.setenv(name, proxy)
        for server in (person.server, person.server.replace("127.0.0.1", "localhost")):
            with Api(server, TokenAuth(person.server, person.file), RetryBudget(0.0)) as api:
                assert list_projects(api) == []
        monkeypatch.setenv("no_proxy", "partywall.invalid")
        assert "PROXY" not in error_of(ELSEWHERE)


def test_a_refused_key_is_named_by_its_variable() -> None:
    with (
        answering(401) as server,
        pytest.raises(UsageError) as refusal,
        failures(),
        Api(server, KeyAuth("pw_dead"), RetryBudget(0.0)) as api,
    ):
        list_projects(api)
    assert refusal.value.message.startswith("the server rejected the key in PARTYWALL_KEY: ")
    with pytest.raises(ClientError, match="PARTYWALL_KEY is not a project key"):
        KeyAuth("hunter2")
