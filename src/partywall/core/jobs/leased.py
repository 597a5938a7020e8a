"""PgQueuer's statements about jobs in hand, held to those that are still this worker's.

As they come, they go by the job's number alone: a worker that was silent for too long would end, put back or keep alive
the job that another has taken over, and the other could not finish it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final
from uuid import UUID

from pgqueuer.adapters.persistence.qb import QueryQueueBuilder

_ENDED: Final = "WHERE id = ANY(SELECT js.id FROM job_status js WHERE js.status {} 'failed')"
_PUT_BACK: Final = "WHERE id = $1::bigint"
_ALIVE: Final = "WHERE id = ANY($1::bigint[])"


class UnknownStatementError(Exception):
    """Another version of PgQueuer: what is said here of its statements must be looked at again."""


@dataclass
class LeasedStatements(QueryQueueBuilder):
    worker: UUID | None = None

    def build_log_job_query(self) -> str:
        return self._ours(super().build_log_job_query(), _ENDED.format("!="), _ENDED.format("="))

    def build_retry_job_query(self) -> str:
        return self._ours(super().build_retry_job_query(), _PUT_BACK)

    def build_update_heartbeat_query(self) -> str:
        return self._ours(super().build_update_heartbeat_query(), _ALIVE)

    def _ours(self, sql: str, *conditions: str) -> str:
        assert self.worker is not None
        for condition in conditions:
            if sql.count(condition) != 1:
                raise UnknownStatementError(condition)
            sql = sql.replace(condition, f"{condition} AND queue_manager_id = '{UUID(int=self.worker.int)}'")
        return sql
