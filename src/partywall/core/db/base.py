"""The base class of all models, and the kinds of tables, which decide their row-level policy."""

from __future__ import annotations

from enum import StrEnum
from typing import Final

from sqlalchemy import MetaData
from sqlalchemy.orm import DeclarativeBase

NAMING_CONVENTION: Final = {
    "ix": "%(column_0_label)s_idx",
    "uq": "%(table_name)s_%(column_0_N_name)s_key",
    "ck": "%(table_name)s_%(constraint_name)s_check",
    "fk": "%(table_name)s_%(column_0_N_name)s_fkey",
    "pk": "%(table_name)s_pkey",
}


class TableKind(StrEnum):
    """Who may see a table's rows; it decides the row-level policy. Every table sets `info={"kind": ...}`."""

    PROJECT = "project"
    PRINCIPAL = "principal"
    DIRECTORY = "directory"
    SYSTEM = "system"


class Base(DeclarativeBase):
    metadata = MetaData(naming_convention=NAMING_CONVENTION)
