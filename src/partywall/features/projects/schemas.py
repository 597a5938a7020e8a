from __future__ import annotations

from typing import Annotated, Literal
from uuid import UUID

from pydantic import (
    AfterValidator,
    ConfigDict,
    Field,
    GetCoreSchemaHandler,
    GetPydanticSchema,
    StringConstraints,
    ValidationError,
    ValidatorFunctionWrapHandler,
    WrapValidator,
)
from pydantic_core import CoreSchema, PydanticCustomError
from pydantic_core.core_schema import literal_schema, no_info_after_validator_function

from partywall.core.schemas import Instant, Name, RequestModel, ResponseModel, SortedQuery
from partywall.core.tenancy import Role
from partywall.features.accounts.schemas import EmailAddress
from partywall.formats.language_tag import language_code

Description = Annotated[str, StringConstraints(max_length=10_000)]


def _of_language(tag: str) -> str:
    if language_code(tag) is None:
        raise PydanticCustomError("unknown_language", "This tag does not begin with the code of a language")
    return tag


Language = Annotated[
    str,
    StringConstraints(pattern=r"^[A-Za-z]{2,3}(-[A-Za-z0-9]{1,8}){0,8}$", max_length=35),
    AfterValidator(_of_language),
    Field(
        description="A BCP 47 language tag, such as `de` or `pt-BR`: how words are stemmed in documents and queries "
        "whose language is neither given nor recognised.",
        examples=["de"],
    ),
]


class ProjectCreate(RequestModel):
    model_config = ConfigDict(
        json_schema_extra={"examples": [{"name": "Contracts", "description": "Supplier contracts"}]}
    )

    name: Name
    description: Description | None = None
    language: Language | None = None


class ProjectPatch(RequestModel):
    """A JSON merge patch: absent members stay unchanged."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"name": "Contracts 2027"}]})

    name: Name = Field(default_factory=str)
    description: Description | None = None
    language: Language | None = None


class Project(ResponseModel):
    """A project as the caller sees it; `role` is the caller's role."""

    id: UUID
    name: str
    description: str | None
    language: str | None
    role: Role
    created_at: Instant
    updated_at: Instant


type ProjectSort = Literal["-created_at", "created_at", "title", "-title", "updated_at", "-updated_at"]


class ProjectQuery(SortedQuery):
    """`title` sorts by name."""

    sort: ProjectSort = "-created_at"


def _role_of_users(_: object, __: GetCoreSchemaHandler) -> CoreSchema:
    """A literal of the values: a literal of enum members would show their Python repr in errors."""
    values = [role.value for role in (Role.OWNER, Role.ADMIN, Role.EDITOR, Role.VIEWER)]
    return no_info_after_validator_function(Role, literal_schema(values))


def _one_error(value: object, choose: ValidatorFunctionWrapHandler) -> object:
    """Raise one error instead of one per choice, whose pointers would name the choices."""
    try:
        return choose(value)
    except ValidationError as error:
        raise PydanticCustomError("member_id", "Input should be a member's id or 'me'") from error


# The roles that a person can have.
type MemberRole = Annotated[Role, GetPydanticSchema(_role_of_users)]
# `me` stands for the caller.
type MemberId = Annotated[UUID | Literal["me"], WrapValidator(_one_error)]


class Member(ResponseModel):
    user_id: UUID
    email: str
    full_name: str | None
    role: Role
    joined_at: Instant


class MemberPatch(RequestModel):
    """A JSON merge patch: absent members stay unchanged."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"role": "editor"}]})

    role: MemberRole = Field(default_factory=lambda: Role.VIEWER)


class MemberQuery(SortedQuery):
    """`created_at` sorts by the time of joining."""

    sort: Literal["-created_at", "created_at"] = "-created_at"


class Transfer(RequestModel):
    user_id: UUID = Field(description="A member, who becomes an owner")


class InvitationCreate(RequestModel):
    model_config = ConfigDict(json_schema_extra={"examples": [{"email": "ada@example.com", "role": "editor"}]})

    email: EmailAddress
    role: MemberRole


class Invitation(ResponseModel):
    """An invitation that can be accepted. Only the mail contains its token."""

    id: UUID
    email: str
    role: Role
    expires_at: Instant
    created_at: Instant


class InvitationQuery(SortedQuery):
    sort: Literal["-created_at", "created_at"] = "-created_at"


class Acceptance(RequestModel):
    token: str = Field(min_length=1, max_length=200, description="From the mail")
