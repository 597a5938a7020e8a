from __future__ import annotations

from uuid import UUID

import pytest
from pydantic import TypeAdapter, ValidationError

from partywall.core.tenancy import Role
from partywall.features.projects.schemas import (
    Acceptance,
    InvitationCreate,
    MemberId,
    MemberPatch,
    ProjectCreate,
    ProjectPatch,
    ProjectQuery,
)
from tests.validation_errors import refused


@pytest.mark.parametrize("role", ["service", "Owner", "", None, 1])
def test_an_unknown_role_is_refused_with_the_permitted_values(role: object) -> None:
    assert refused(MemberPatch, {"role": role}) == {"role": "literal_error"}
    with pytest.raises(ValidationError, match="'owner', 'admin', 'editor' or 'viewer'"):
        MemberPatch.model_validate({"role": role})


def test_a_role_is_one_of_ours() -> None:
    assert MemberPatch.model_validate({"role": "editor"}).role is Role.EDITOR


@pytest.mark.parametrize("given", ["", "I", "ME", "me ", "00000000-0000-0000-0000-00000000000g", 5])
def test_a_member_is_an_id_or_me_and_that_is_one_error(given: object) -> None:
    with pytest.raises(ValidationError) as refusal:
        TypeAdapter(MemberId).validate_python(given)
    assert [each["type"] for each in refusal.value.errors()] == ["member_id"]


def test_a_member_is_an_id_or_me() -> None:
    assert TypeAdapter(MemberId).validate_python("me") == "me"
    assert TypeAdapter(MemberId).validate_python(str(UUID(int=1))) == UUID(int=1)


@pytest.mark.parametrize(
    ("name", "kind"),
    [("  ", "string_too_short"), ("a" * 201, "string_too_long"), ("a\nb", "control_character"),
     ("\u202ea", "control_character"), ("\ud800", "lone_surrogate"), (None, "string_type")],
)  # fmt: skip
def test_what_is_no_name_is_refused(name: object, kind: str) -> None:
    assert kind in refused(ProjectCreate, {"name": name}).values()


def test_a_description_may_be_taken_away_and_a_name_may_not() -> None:
    assert ProjectPatch.model_validate({"description": None}).model_fields_set == {"description"}
    assert refused(ProjectPatch, {"name": None}) == {"name": "string_type"}


def test_an_invitation_is_to_one_form_of_an_address() -> None:
    wanted = InvitationCreate.model_validate({"email": " ADA@Example.com ", "role": "viewer"})
    assert (wanted.email, wanted.role) == ("ada@example.com", Role.VIEWER)
    assert refused(InvitationCreate, {"email": "ada", "role": "viewer"}) == {"email": "email_address"}


def test_a_client_makes_no_project_for_somebody_else() -> None:
    assert refused(ProjectCreate, {"name": "A", "user_id": str(UUID(int=1))}) == {"user_id": "extra_forbidden"}


def test_a_list_is_sorted_by_what_can_be_sorted_alone() -> None:
    assert refused(ProjectQuery, {"sort": "name"}) == {"sort": "literal_error"}
    assert refused(Acceptance, {"token": ""}) == {"token": "string_too_short"}
