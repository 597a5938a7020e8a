"""A package with a feature and its tests, as somebody else would write them.

The routes and the table of parcels are sound; each of the others has a fault.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Final

FEATURE: Final = """
from partywall.api import Feature, Right, Role, lazy

feature = Feature(
    name="parcels",
    routers=(lazy("parcels.router:router"),),
    rights=(Right("parcels.write", "register parcels", Role.EDITOR),),
    models=lazy("parcels.models"),
)
"""
MODELS: Final = """
from uuid import UUID

from sqlalchemy import ForeignKey, Text, Uuid
from sqlalchemy.orm import Mapped, mapped_column

from partywall.api.database import Base, TableKind


class Parcel(Base):
    __tablename__ = "parcels_parcel"
    __table_args__ = {"info": {"kind": TableKind.PROJECT}}

    project_id: Mapped[UUID] = mapped_column(Uuid, ForeignKey("project.id", ondelete="CASCADE"), primary_key=True)
    id: Mapped[UUID] = mapped_column(Uuid, primary_key=True)
    label: Mapped[str] = mapped_column(Text)


class Stamp(Base):
    __tablename__ = "parcels_stamp"
    __table_args__ = {"info": {"kind": TableKind.PROJECT}}

    project_id: Mapped[UUID] = mapped_column(Uuid, ForeignKey("project.id", ondelete="CASCADE"))
    id: Mapped[UUID] = mapped_column(Uuid, primary_key=True)
    text: Mapped[str] = mapped_column(Text)
"""
ROUTER: Final = """
from uuid import UUID

from fastapi import APIRouter, Response
from pydantic import Field
from sqlalchemy import delete, select

from parcels.models import Parcel, Stamp
from partywall.api.errors import NotFoundError
from partywall.api.http import ProjectScopeDep, ReadProjectScopeDep, ReadSessionDep, SessionDep
from partywall.api.schemas import RequestModel, ResponseModel
from partywall.api.scope import require
from partywall.api.values import new_id
from parcels.feature import feature

[WRITE] = feature.rights
router = APIRouter(prefix="/projects/{project_id}/parcels")


class ParcelNotFoundError(NotFoundError):
    code = "parcel_not_found"
    title = "No such parcel"


class NewParcel(RequestModel):
    label: str = Field(min_length=1, max_length=200, pattern=r"\\S")


class ShownParcel(ResponseModel):
    id: UUID
    label: str


@router.post("", status_code=201)
async def create_parcel(session: SessionDep, scope: ProjectScopeDep, body: NewParcel) -> ShownParcel:
    require(scope, WRITE)
    made = Parcel(project_id=scope.project_id, id=new_id(), label=body.label)
    session.add(made)
    await session.flush()
    return ShownParcel.model_validate(made)


@router.get("")
async def list_parcels(session: ReadSessionDep, scope: ReadProjectScopeDep) -> list[ShownParcel]:
    found = await session.scalars(select(Parcel).where(Parcel.project_id == scope.project_id))
    return [ShownParcel.model_validate(each) for each in found]


@router.get("/{parcel_id}")
async def get_parcel(session: ReadSessionDep, scope: ReadProjectScopeDep, parcel_id: UUID) -> ShownParcel:
    found = await session.scalar(select(Parcel).where(Parcel.project_id == scope.project_id, Parcel.id == parcel_id))
    if found is None:
        raise ParcelNotFoundError("There is no such parcel.")
    return ShownParcel.model_validate(found)


@router.delete("/{parcel_id}", status_code=204)
async def delete_parcel(session: SessionDep, scope: ProjectScopeDep, parcel_id: UUID) -> Response:
    require(scope, WRITE)
    chosen = delete(Parcel).where(Parcel.project_id == scope.project_id, Parcel.id == parcel_id)
    if not (await session.execute(chosen)).rowcount:
        raise ParcelNotFoundError("There is no such parcel.")
    return Response(status_code=204)


@router.get("/labels/all")
async def list_labels(session: ReadSessionDep, scope: ReadProjectScopeDep) -> list[str]:
    return list(await session.scalars(select(Parcel.label)))


@router.get("/stamps/all")
async def list_stamps(session: ReadSessionDep, scope: ReadProjectScopeDep) -> list[str]:
    return list(await session.scalars(select(Stamp.text)))


@router.post("/sorting")
async def sort_parcels(session: SessionDep, scope: ProjectScopeDep) -> None: ...


@router.get("/hidden/all", include_in_schema=False)
async def list_hidden(scope: ReadProjectScopeDep) -> None: ...
"""
TABLES: Final = """
CREATE TABLE parcels_parcel (
    project_id uuid NOT NULL REFERENCES project (id) ON DELETE CASCADE,
    id uuid NOT NULL,
    label text NOT NULL,
    PRIMARY KEY (project_id, id)
);
ALTER TABLE parcels_parcel ENABLE ROW LEVEL SECURITY;
ALTER TABLE parcels_parcel FORCE ROW LEVEL SECURITY;
CREATE POLICY wall ON parcels_parcel USING (project_id = (SELECT wall.current_project()));
GRANT SELECT, INSERT, UPDATE, DELETE ON parcels_parcel TO partywall_app;

CREATE TABLE parcels_stamp (
    project_id uuid NOT NULL REFERENCES project (id) ON DELETE CASCADE,
    id uuid PRIMARY KEY,
    text text NOT NULL
);
ALTER TABLE parcels_stamp ENABLE ROW LEVEL SECURITY;
ALTER TABLE parcels_stamp FORCE ROW LEVEL SECURITY;
CREATE POLICY wall ON parcels_stamp USING (true);
GRANT SELECT, INSERT, UPDATE, DELETE ON parcels_stamp TO partywall_app;
"""
CONFTEST: Final = """
from pathlib import Path

import asyncpg
import pytest_asyncio

from partywall.testing.engines import DatabaseUrls


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def engines(engines):
    owner = await asyncpg.connect(DatabaseUrls.dsn(engines.database(engines.template).owner))
    await owner.execute(Path(__file__).with_name("tables.sql").read_text())
    await owner.close()
    return engines
"""
TESTS: Final = """
from partywall.testing.isolation_tests import *


async def test_a_viewer_may_not_write(users, project, anonymous):
    viewer = await users.person()
    await users.join(project.id, viewer, "viewer")
    url = f"{project.url}/parcels"
    assert (await project.client.post(url, json={"label": "Books"})).status_code == 201
    assert [each["label"] for each in (await viewer.client.get(url)).json()] == ["Books"]
    assert (await viewer.client.post(url, json={"label": "Books"})).status_code == 403
    assert (await anonymous.get(url)).status_code == 401


async def test_others_see_nothing(project, other_project):
    assert (await other_project.client.get(f"{project.url}/parcels")).status_code == 404
"""
PYTEST: Final = """
[pytest]
addopts = -p partywall.testing
partywall_features = parcels
asyncio_mode = auto
asyncio_default_fixture_loop_scope = session
asyncio_default_test_loop_scope = session
filterwarnings = error
"""
FILES: Final[Mapping[str, str]] = {
    "pytest.ini": PYTEST,
    "conftest.py": CONFTEST,
    "tables.sql": TABLES,
    "test_parcels.py": TESTS,
    "parcels/__init__.py": "",
    "parcels/feature.py": FEATURE,
    "parcels/models.py": MODELS,
    "parcels/router.py": ROUTER,
    "parcels-1.dist-info/METADATA": "Metadata-Version: 2.1\nName: parcels\nVersion: 1\n",
    "parcels-1.dist-info/entry_points.txt": "[partywall.features]\nparcels = parcels.feature:feature\n",
}


def write(directory: Path) -> None:
    """The package, as if pip had installed it there."""
    for name, text in FILES.items():
        path = directory / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
