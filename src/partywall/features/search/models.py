from __future__ import annotations

from datetime import datetime
from typing import Final
from uuid import UUID

from sqlalchemy import (
    BigInteger,
    Boolean,
    CheckConstraint,
    Column,
    DateTime,
    ForeignKey,
    ForeignKeyConstraint,
    Identity,
    Index,
    Integer,
    PrimaryKeyConstraint,
    SmallInteger,
    Table,
    Text,
    UniqueConstraint,
    Uuid,
    func,
    literal_column,
    text,
    types,
)
from sqlalchemy.dialects.postgresql import ARRAY, JSONB
from sqlalchemy.dialects.postgresql.base import ischema_names
from sqlalchemy.orm import Mapped, mapped_column

from partywall.core.db.base import Base, TableKind
from partywall.features.search.constants import BUNDLED_DIMENSION


class HalfVector(types.UserDefinedType[str]):
    """pgvector's `halfvec`: 16 bits per number halve the pages of an exact scan. Sent as text: `[1,2,...]`."""

    cache_ok = True

    def __init__(self, dimension: int | None = None) -> None:
        self.dimension = dimension

    def get_col_spec(self, **_: object) -> str:
        return "halfvec" if self.dimension is None else f"halfvec({self.dimension})"


ischema_names["halfvec"] = HalfVector  # lets a migrated database be compared with these tables


class SearchStatistic(Base):
    """A project's totals for BM25; a trigger on `chunk` maintains the counts."""

    __tablename__ = "search_statistic"
    __table_args__ = ({"info": {"kind": TableKind.PROJECT}},)

    project_id: Mapped[UUID] = mapped_column(Uuid, ForeignKey("project.id", ondelete="CASCADE"), primary_key=True)
    chunks: Mapped[int] = mapped_column(BigInteger, server_default="0")
    terms: Mapped[int] = mapped_column(BigInteger, server_default="0")
    configurations: Mapped[list[str]] = mapped_column(ARRAY(Text), server_default="{}")


class SearchIndex(Base):
    """One model's vectors: `building` until every chunk has one, `active` while searches use it, then `retired`.

    `external`: new vectors are handed to the vector server. `approximate`: all of them are there, or in the HNSW index.
    """

    __tablename__ = "search_index"
    __table_args__ = (
        PrimaryKeyConstraint("project_id", "id"),
        UniqueConstraint("project_id", "model"),
        CheckConstraint("status IN ('building', 'active', 'retired')", name="status"),
        Index("search_index_active_idx", "project_id", unique=True, postgresql_where=text("status = 'active'")),
        Index("search_index_building_idx", "project_id", unique=True, postgresql_where=text("status = 'building'")),
        {"info": {"kind": TableKind.PROJECT}},
    )

    project_id: Mapped[UUID] = mapped_column(Uuid, ForeignKey("project.id", ondelete="CASCADE"))
    id: Mapped[UUID] = mapped_column(Uuid, server_default=func.uuidv7())
    model: Mapped[str] = mapped_column(Text)
    dimension: Mapped[int] = mapped_column(Integer)
    status: Mapped[str] = mapped_column(Text)
    external: Mapped[bool] = mapped_column(Boolean, server_default="false")
    approximate: Mapped[bool] = mapped_column(Boolean, server_default="false")
    created_at: Mapped[datetime] = mapped_column(DateTime(timezone=True), server_default=func.now())
    activated_at: Mapped[datetime | None] = mapped_column(DateTime(timezone=True))


class SearchChunk(Base):
    """A passage. Postings and vectors refer to its `number`; `context` is indexed before its text.

    `page` is set for files that have pages, `section` is the heading that the passage starts under or with; `sections`
    are the places and headings of others that begin in it. `text_hash` is that of the document's text,
    `passage_hash` that of the passage and its place: both tell copies. A document's first passage `begins` it.

    A large document's chunks are written in batches with `staged_for` set to its version. All become searchable at
    once, when `staged_for` is set to null, and to 0 for the former chunks. Searches skip chunks where it is not null.
    """

    __tablename__ = "chunk"
    __table_args__ = (
        PrimaryKeyConstraint("project_id", "number", postgresql_include=["document_id", "text_hash", "passage_hash"]),
        ForeignKeyConstraint(["project_id", "document_id"], ["document.project_id", "document.id"], ondelete="CASCADE"),
        CheckConstraint("length(section) <= 200", name="section"),
        Index("chunk_project_id_document_id_idx", "project_id", "document_id"),
        Index(
            "chunk_text_idx",
            "project_id",
            "text_hash",
            "document_id",
            postgresql_where=text("begins AND staged_for IS NULL"),
        ),
        Index("chunk_staged_idx", "project_id", "document_id", postgresql_where=text("staged_for IS NOT NULL")),
        {"info": {"kind": TableKind.PROJECT}},
    )

    project_id: Mapped[UUID] = mapped_column(Uuid)
    number: Mapped[int] = mapped_column(BigInteger, Identity(always=True))
    id: Mapped[UUID] = mapped_column(Uuid, server_default=func.uuidv7())
    document_id: Mapped[UUID] = mapped_column(Uuid)
    first: Mapped[int] = mapped_column(Integer)
    last: Mapped[int] = mapped_column(Integer)
    length: Mapped[int] = mapped_column(Integer)
    begins: Mapped[bool] = mapped_column(Boolean)
    configuration: Mapped[str] = mapped_column(Text)
    context: Mapped[str] = mapped_column(Text)
    text: Mapped[str] = mapped_column(Text)
    page: Mapped[int | None] = mapped_column(Integer)
    section: Mapped[str | None] = mapped_column(Text)
    sections: Mapped[list[tuple[int, str]] | None] = mapped_column(JSONB)
    staged_for: Mapped[int | None] = mapped_column(Integer)
    text_hash: Mapped[int] = mapped_column(BigInteger)
    passage_hash: Mapped[int] = mapped_column(BigInteger)


# One row per term and chunk. A batch is written in the order of its terms, so that reading a term touches few pages
# although the index has only the key.
POSTING: Final = Table(
    "posting",
    Base.metadata,
    Column("project_id", Uuid, nullable=False),
    Column("chunk", BigInteger, nullable=False),
    Column("frequency", SmallInteger, nullable=False),
    Column("length", SmallInteger, nullable=False),
    Column("term", Text(collation="C"), nullable=False),
    ForeignKeyConstraint(["project_id", "chunk"], ["chunk.project_id", "chunk.number"], ondelete="CASCADE"),
    Index("posting_project_id_term_idx", "project_id", "term"),
    Index("posting_project_id_term_weak_idx", "project_id", "term", postgresql_where=text("frequency = 0")),
    Index("posting_project_id_chunk_idx", "project_id", "chunk"),
    info={"kind": TableKind.PROJECT},
)


def hnsw_index(dimension: int) -> str:
    """The name of the HNSW index of the vectors with this dimension, which may not exist."""
    return f"embedding_hnsw_{dimension}"


# One row per chunk and index; `fault` is what the model could not read of the chunk (`Fault`), mostly null. Vectors of
# all dimensions are in one table. Each dimension has its own HNSW index, of those that are `approximate`. The vector
# server gets those that are `external`.
EMBEDDING: Final = Table(
    "embedding",
    Base.metadata,
    Column("project_id", Uuid, nullable=False),
    Column("index_id", Uuid, nullable=False),
    Column("chunk", BigInteger, nullable=False),
    Column("dimension", SmallInteger, nullable=False),
    Column("external", Boolean, server_default="false", nullable=False),
    Column("approximate", Boolean, nullable=False),
    Column("embedding", HalfVector(), nullable=False),
    Column("fault", Text),
    Column("fault_message", Text),
    PrimaryKeyConstraint("project_id", "index_id", "chunk"),
    ForeignKeyConstraint(["project_id", "chunk"], ["chunk.project_id", "chunk.number"], ondelete="CASCADE"),
    ForeignKeyConstraint(
        ["project_id", "index_id"], ["search_index.project_id", "search_index.id"], ondelete="CASCADE"
    ),
    CheckConstraint("vector_dims(embedding) = dimension", name="dimension"),
    Index("embedding_project_id_chunk_idx", "project_id", "chunk"),
    Index("embedding_fault_idx", "project_id", "index_id", "chunk", postgresql_where=text("fault IS NOT NULL")),
    Index(
        hnsw_index(BUNDLED_DIMENSION),
        literal_column(f"embedding::halfvec({BUNDLED_DIMENSION})").label("vector"),
        postgresql_using="hnsw",
        postgresql_ops={"vector": "halfvec_cosine_ops"},
        postgresql_where=text(f"dimension = {BUNDLED_DIMENSION} AND approximate"),
    ),
    info={"kind": TableKind.PROJECT},
)


# What the vector server does not know yet; a trigger on `embedding` writes it.
VECTOR_CHANGE: Final = Table(
    "vector_change",
    Base.metadata,
    Column("project_id", Uuid, nullable=False),
    Column("index_id", Uuid, nullable=False),
    Column("chunk", BigInteger, nullable=False),
    Column("deleted_once", Boolean, server_default="false", nullable=False),
    Column("due_at", DateTime(timezone=True), server_default=func.now(), nullable=False),
    PrimaryKeyConstraint("project_id", "index_id", "chunk"),
    ForeignKeyConstraint(
        ["project_id", "index_id"], ["search_index.project_id", "search_index.id"], ondelete="CASCADE"
    ),
    Index("vector_change_due_idx", "project_id", "due_at"),
    info={"kind": TableKind.PROJECT},
)
