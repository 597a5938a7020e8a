from __future__ import annotations

from typing import Final

from pydantic import BaseModel, ConfigDict, ValidationError

# The values of a request, as the command line calls them; others by their own name.
_ARGUMENTS: Final = {
    "/q": "QUERY",
    "/limit": "--limit",
    "/query/limit": "--limit",
    "/mode": "--mode",
    "/min_score": "--min-score",
    "/query/after": "--after",
    "/query/types": "--types",
    "/name": "the project's name",
    "/email": "--email",
    "/password": "the password",
    "/new_password": "the new password",
    "/token": "the code",
    "/full_name": "--name",
}


class ClientError(Exception):
    """An error that the user can act on, in one line."""


class Unreachable(ClientError):
    """The server did not answer any attempt."""


class NotLoggedIn(ClientError):
    def __init__(self, server: str) -> None:
        super().__init__(f"not logged in to {server}: run `partywall login --server {server}`")


class LoginFailed(ClientError):
    """Unknown account, wrong password or unconfirmed address; the server does not say which."""

    def __init__(self) -> None:
        super().__init__("wrong e-mail address or password, or the address is not confirmed yet")


class FieldProblem(BaseModel):
    pointer: str = ""
    message: str = ""


class Problem(BaseModel):
    """Problem details (RFC 9457); fields that the response lacks are empty."""

    model_config = ConfigDict(extra="ignore")

    code: str = ""
    title: str = ""
    detail: str = ""
    error: str = ""
    request_id: str = ""
    errors: list[FieldProblem] | None = None


class ApiError(ClientError):
    """The server rejected a request: `status` and the stable `code`."""

    def __init__(self, status: int, problem: Problem) -> None:
        super().__init__(_sentence(status, problem))
        self.status = status
        self.code = problem.code
        self.error = problem.error
        self.fields = problem.errors or []


def read_problem(body: bytes) -> Problem:
    try:
        return Problem.model_validate_json(body)
    except ValidationError:
        return Problem()


def _about(field: FieldProblem) -> str:
    pointer = field.pointer
    name = _ARGUMENTS.get(pointer) or pointer.removeprefix("/query").removeprefix("/").replace("/", ".")
    return f"{name}: {field.message}" if name else field.message


def _sentence(status: int, problem: Problem) -> str:
    if problem.errors:
        return "; ".join(_about(each) for each in problem.errors)
    said = problem.detail or problem.title or f"the server answered {status}"
    return f"{said} (request {problem.request_id})" if status >= 500 and problem.request_id else said
