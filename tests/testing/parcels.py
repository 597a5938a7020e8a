"""A package with a feature and its tests, as somebody else would write them.

What lists, shows, registers and removes parcels is sound; each of the other routes, tables and tools has a fault.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Final

from tests.testing.parcels_tests import CONFTEST, PYTEST, TESTS

FEATURE: Final = """
from partywall.api import Feature, JobKind, ProjectJobPayload, Right, Role, handles, lazy

WRITE = Right("parcels.write", "register parcels", Role.EDITOR)
SEAL = JobKind("parcels.seal", ProjectJobPayload)
feature = Feature(
    name="parcels",
    routers=(lazy("parcels.router:router"),),
    rights=(WRITE,),
    jobs=(handles(SEAL, lazy("parcels.work:seal")),),
    models=lazy("parcels.models"),
    migrations="parcels.migrations",
    settings=lazy("parcels.settings:ParcelSettings"),
    tools=lazy("parcels.tools:TOOLS"),
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
from partywall.api.errors import InvalidInputError, NotFoundError
from partywall.api.http import ProjectScopeDep, ReadProjectScopeDep, ReadSessionDep, SessionDep
from partywall.api.schemas import FieldCode, RequestModel, ResponseModel
from partywall.api.jobs import enqueue
from partywall.api.scope import require
from partywall.api.values import new_id
from parcels.feature import SEAL, WRITE

router = APIRouter(prefix="/projects/{project_id}/parcels")


class ParcelNotFoundError(NotFoundError):
    code = "parcel_not_found"
    title = "No such parcel"


class NewParcel(RequestModel):
    label: str = Field(min_length=1, max_length=200, pattern=r"\\S")


class Counted(RequestModel):
    last: str = Field(pattern=r"^[a-z]+9$")
    first: str = Field(pattern=r"^[a-z]+1$")


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


@router.post("/counts")
async def count_parcels(session: ReadSessionDep, scope: ReadProjectScopeDep, body: Counted) -> int:
    if body.last < body.first:
        raise InvalidInputError("/last", FieldCode.CONFLICTING, "It comes before the first")
    chosen = Parcel.label.between(body.first, body.last)
    found = await session.scalars(select(Parcel.id).where(Parcel.project_id == scope.project_id, chosen))
    return len(found.all())


@router.post("/seals")
async def seal_parcels(session: SessionDep, scope: ProjectScopeDep) -> None:
    payload = SEAL.payload(project_id=scope.project_id, principal=str(scope.principal))
    await enqueue(session, SEAL, payload)


@router.get("/hidden/all", include_in_schema=False)
async def list_hidden(scope: ReadProjectScopeDep) -> None: ...
"""
MIGRATION: Final = """
from alembic import op
from sqlalchemy import Column, Text

from partywall.api.migrations import create_project_table

revision = "0001"
down_revision = None


def upgrade():
    create_project_table("parcels_parcel", Column("label", Text, nullable=False))
    create_project_table("parcels_stamp", Column("text", Text, nullable=False))
    op.create_check_constraint("parcels_stamp_text_check", "parcels_stamp", "text LIKE 'stamp %'")
    op.execute("ALTER POLICY wall ON parcels_stamp USING (wall.current_project() IS NOT NULL)")
    op.execute("ALTER TABLE parcels_stamp DROP CONSTRAINT parcels_stamp_pkey, ADD PRIMARY KEY (id)")
"""
TOOLS: Final = """
from uuid import UUID

from sqlalchemy import select

from parcels.models import Parcel
from parcels.router import ParcelNotFoundError, ShownParcel
from partywall.api.schemas import RequestModel
from partywall.api.tools import ProjectTool


class Wanted(RequestModel):
    parcel_id: UUID


async def get(call, wanted):
    async with call.reading() as (session, scope):
        return await _one(session, Parcel.project_id == scope.project_id, Parcel.id == wanted.parcel_id)


async def peek(call, wanted):
    async with call.reading() as (session, scope):
        return await _one(session, Parcel.id == wanted.parcel_id)


async def lift(call, wanted):
    async with call.reading() as (session, scope):
        chosen = select(Parcel).where(Parcel.project_id == scope.project_id, Parcel.id == wanted.parcel_id)
        return ShownParcel.model_validate((await session.scalars(chosen)).one())


async def _one(session, *conditions):
    found = await session.scalar(select(Parcel).where(*conditions))
    if found is None:
        raise ParcelNotFoundError("There is no such parcel.")
    return ShownParcel.model_validate(found)


TOOLS = tuple(
    ProjectTool(
        name=f"parcels_{work.__name__}", title="A parcel", description="Shows a parcel.",
        input=Wanted, output=ShownParcel, work=work,
    )
    for work in (get, peek, lift)
)
"""
SETTINGS: Final = """
from partywall.api.settings import Section


class ParcelSettings(Section):
    seal: str = "?"
"""


WORK: Final = """
from sqlalchemy import update

from parcels.models import Parcel
from parcels.settings import ParcelSettings


async def seal(context, payload):
    async with context.begin(payload) as (session, scope):
        label = Parcel.label + ", " + context.resources.section(ParcelSettings).seal
        await session.execute(update(Parcel).where(Parcel.project_id == scope.project_id).values(label=label))
"""


FILES: Final[Mapping[str, str]] = {
    "pytest.ini": PYTEST,
    "conftest.py": CONFTEST,
    "test_parcels.py": TESTS,
    "parcels/__init__.py": "",
    "parcels/feature.py": FEATURE,
    "parcels/models.py": MODELS,
    "parcels/router.py": ROUTER,
    "parcels/settings.py": SETTINGS,
    "parcels/tools.py": TOOLS,
    "parcels/work.py": WORK,
    "parcels/migrations/0001_parcels.py": MIGRATION,
    "parcels-1.dist-info/METADATA": "Metadata-Version: 2.1\nName: parcels\nVersion: 1\n",
    "parcels-1.dist-info/entry_points.txt": "[partywall.features]\nparcels = parcels.feature:feature\n",
}


def write(directory: Path) -> None:
    """The package, as if pip had installed it there."""
    for name, text in FILES.items():
        path = directory / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
