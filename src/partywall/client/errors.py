from __future__ import annotations

from pydantic import BaseModel, ConfigDict, ValidationError


class ClientError(Exception):
    """What a person can act on, in one line."""


class Unreachable(ClientError):
    """Nobody answered, as often as it was tried."""


class NotLoggedIn(ClientError):
    def __init__(self, server: str) -> None:
        super().__init__(f"not logged in to {server}: run `partywall login --server {server}`")


class NotLetIn(ClientError):
    """No such account, another password, or an address that is not confirmed: the server does not tell which."""

    def __init__(self) -> None:
        super().__init__("wrong e-mail address or password, or an address not confirmed yet")


class FieldProblem(BaseModel):
    pointer: str = ""
    message: str = ""


class Problem(BaseModel):
    """Problem details, or as much of them as the answer held."""

    model_config = ConfigDict(extra="ignore")

    code: str = ""
    title: str = ""
    detail: str = ""
    error: str = ""
    request_id: str = ""
    errors: list[FieldProblem] | None = None


class ApiError(ClientError):
    """The server refused: `status` and its stable `code`."""

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


def _sentence(status: int, problem: Problem) -> str:
    if problem.errors:
        return "; ".join(f"{each.pointer}: {each.message}" if each.pointer else each.message for each in problem.errors)
    said = problem.detail or problem.title or f"the server answered {status}"
    return f"{said} (request {problem.request_id})" if status >= 500 and problem.request_id else said
