"""projects and documents are marked as deleted and purged in batches; expired rows are pruned in batches"""

from __future__ import annotations

from pathlib import Path

from alembic import op

from partywall.core.db.ddl import grant, runtime_role, script

revision = "0022"
down_revision = "0021"
branch_labels = None
depends_on = None

_SQL = Path(__file__).with_name("0022_deletion.sql")

_MARKS = """
ALTER TABLE project ADD COLUMN deleted_at timestamptz;
CREATE INDEX project_deleted_at_idx ON project (deleted_at) WHERE deleted_at IS NOT NULL;

CREATE INDEX document_deleted_at_idx ON document (project_id, deleted_at) WHERE deleted_at IS NOT NULL;
CREATE INDEX document_original_key_idx ON document (project_id, original_key) WHERE original_key IS NOT NULL;

ALTER TABLE idempotency_key ADD COLUMN subjects uuid[] DEFAULT '{}' NOT NULL;
CREATE INDEX idempotency_key_subjects_idx ON idempotency_key USING gin (subjects);
CREATE INDEX idempotency_key_project_id_idx ON idempotency_key (project_id);
CREATE INDEX session_expires_at_idx ON session (expires_at);
"""
_UNMARKS = """
DROP INDEX session_expires_at_idx, idempotency_key_project_id_idx, idempotency_key_subjects_idx,
    document_original_key_idx, document_deleted_at_idx, project_deleted_at_idx;
ALTER TABLE idempotency_key DROP COLUMN subjects;
ALTER TABLE project DROP COLUMN deleted_at;
"""

# Lists and counts exclude deleted rows, so an index-only scan needs an index without them.
_LISTED = """
DROP INDEX document_created_at_idx, document_updated_at_idx, document_title_idx;
CREATE INDEX document_created_at_idx ON document (project_id, created_at, id){kept};
CREATE INDEX document_updated_at_idx ON document (project_id, updated_at, id){kept};
CREATE INDEX document_title_idx ON document (project_id, title, id){kept};
"""

_ROLE_OF = """
CREATE OR REPLACE FUNCTION wall.role_of(principal text, project uuid) RETURNS text LANGUAGE plpgsql STABLE
    SECURITY DEFINER SET search_path = pg_catalog
AS $$
DECLARE
    found_role text;
BEGIN
    IF principal LIKE 'user:%' THEN
        SELECT member.role INTO found_role
        FROM public.project_member AS member JOIN public.account ON account.id = member.account_id
        WHERE member.project_id = project AND member.account_id = substr(principal, 6)::uuid
            AND account.disabled_at IS NULL;
    ELSIF principal LIKE 'key:%' THEN
        SELECT key.role INTO found_role
        FROM public.api_key AS key
        WHERE key.project_id = project AND key.id = substr(principal, 5)::uuid
            AND key.revoked_at IS NULL AND (key.expires_at IS NULL OR key.expires_at > now());
    ELSIF principal = 'service:' || project::text THEN
        SELECT 'service' INTO found_role FROM public.project AS p WHERE p.id = project{kept};
    END IF;
    RETURN found_role;
END
$$;
"""

_HOLD = """
CREATE OR REPLACE FUNCTION wall.lock_shared(principal text, project uuid) RETURNS text LANGUAGE plpgsql VOLATILE
    SECURITY DEFINER SET search_path = pg_catalog
AS $$
DECLARE
    held text := wall.role_of(principal, project);
BEGIN
    IF held IS NULL THEN
        RETURN NULL;
    END IF;
    PERFORM pg_advisory_xact_lock_shared(wall.lock_key(project, ''));
    PERFORM FROM public.project AS p WHERE p.id = project{kept} FOR KEY SHARE;
    IF NOT FOUND THEN
        RETURN NULL;
    END IF;
    IF principal LIKE 'user:%' THEN
        PERFORM pg_advisory_xact_lock_shared(wall.lock_key(project, principal));
        SELECT member.role INTO held FROM public.project_member AS member
        WHERE member.project_id = project AND member.account_id = substr(principal, 6)::uuid FOR SHARE;
    ELSIF principal LIKE 'key:%' THEN
        PERFORM pg_advisory_xact_lock_shared(wall.lock_key(project, principal));
        SELECT key.role INTO held FROM public.api_key AS key
        WHERE key.project_id = project AND key.id = substr(principal, 5)::uuid AND key.revoked_at IS NULL FOR SHARE;
    END IF;
    RETURN held;
END
$$;
"""

_OWNER = """
CREATE OR REPLACE FUNCTION wall.require_an_owner() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER
    SET search_path = pg_catalog
AS $$
BEGIN
    PERFORM FROM public.project AS p WHERE p.id = OLD.project_id{kept} FOR NO KEY UPDATE;
    IF FOUND AND NOT EXISTS (
        SELECT FROM public.project_member AS m WHERE m.project_id = OLD.project_id AND m.role = 'owner'
    ) THEN
        RAISE EXCEPTION 'a project keeps an owner'
            USING ERRCODE = 'check_violation', CONSTRAINT = 'project_member_owner_check', TABLE = 'project_member';
    END IF;
    RETURN NULL;
END
$$;
"""

_STALE = """
CREATE OR REPLACE FUNCTION wall.projects_without_index_of(model text) RETURNS SETOF uuid LANGUAGE sql STABLE
    SECURITY DEFINER SET search_path = pg_catalog
AS $$
    SELECT project_id FROM public.search_index AS i WHERE status IN ('active', 'building'){kept}
    GROUP BY project_id HAVING NOT bool_or(i.model = projects_without_index_of.model)
$$;
"""
_STALE_KEPT = """
        AND NOT EXISTS (SELECT FROM public.project AS p WHERE p.id = i.project_id AND p.deleted_at IS NOT NULL)"""

# For all rows at once, as before.
_FORMER = """
CREATE FUNCTION wall.prune_invitations() RETURNS bigint LANGUAGE sql SECURITY DEFINER SET search_path = pg_catalog
AS $$
    WITH removed AS (DELETE FROM public.invitation WHERE expires_at <= now() RETURNING 1)
    SELECT count(*) FROM removed
$$;

CREATE FUNCTION wall.prune_api_keys(before timestamptz) RETURNS bigint LANGUAGE sql SECURITY DEFINER
    SET search_path = pg_catalog
AS $$
    WITH removed AS (
        DELETE FROM public.api_key
        WHERE revoked_at < least(before, now()) OR expires_at < least(before, now()) RETURNING 1
    )
    SELECT count(*) FROM removed
$$;

CREATE FUNCTION wall.prune_registrations() RETURNS bigint LANGUAGE sql SECURITY DEFINER SET search_path = pg_catalog
AS $$
    WITH removed AS (DELETE FROM public.registration WHERE expires_at <= now() RETURNING 1)
    SELECT count(*) FROM removed
$$;
"""
_FORMER_NAMES = "wall.prune_invitations(), wall.prune_api_keys(timestamptz), wall.prune_registrations()"

# Restrictive: the application cannot see deleted rows, even if a query lacks the filter.
_KEPT = """
CREATE POLICY kept ON document AS RESTRICTIVE TO {runtime} USING (deleted_at IS NULL);
CREATE POLICY purging ON document TO CURRENT_USER USING (deleted_at IS NOT NULL OR project_id IN ({doomed}));
CREATE POLICY pruning ON idempotency_key TO CURRENT_USER USING (true);
"""
_PURGING = "CREATE POLICY purging ON {table} TO CURRENT_USER USING (project_id IN ({doomed}));"
_DOOMED = "SELECT p.id FROM project AS p WHERE p.deleted_at IS NOT NULL"
_PURGED = (
    "document_text", "document_version", "search_index", "chunk", "posting", "webhook", "run", "run_turn", "run_step",
    *(f"embedding_{dimension}" for dimension in (256, 384, 768, 1024, 1536, 3072)),
)  # fmt: skip

_CALLED = """wall.delete_project(uuid), wall.purge_project(uuid, integer, bigint), wall.forget_project(uuid),
    wall.deleted_projects(integer), wall.delete_document(uuid), wall.purge_document(uuid, integer, bigint),
    wall.deleted_documents(integer), wall.has_deleted_documents(uuid), wall.prune_invitations(integer),
    wall.prune_api_keys(timestamptz, integer), wall.prune_registrations(integer),
    wall.prune_sessions(timestamptz, integer), wall.prune_idempotency_keys(timestamptz, integer, bigint)"""
# Marked rows are deleted in the old way before the column is dropped.
_FINISH = "DELETE FROM project WHERE deleted_at IS NOT NULL; DELETE FROM document WHERE deleted_at IS NOT NULL;"


def _redefine(kept: str, stale: str, listed: str) -> None:
    for function in (_ROLE_OF, _HOLD, _OWNER):
        script(function.format(kept=kept))
    script(_STALE.format(kept=stale))
    script(_LISTED.format(kept=listed))


def upgrade() -> None:
    script(_MARKS)
    _redefine(" AND p.deleted_at IS NULL", _STALE_KEPT, " WHERE deleted_at IS NULL")
    script(_KEPT.format(runtime=runtime_role(), doomed=_DOOMED))
    for table in _PURGED:
        script(_PURGING.format(table=table, doomed=_DOOMED))
    script(_SQL.read_text(encoding="utf-8"))
    # lint: allow sql-text - a constant list of functions
    op.execute(f"REVOKE EXECUTE ON FUNCTION {_CALLED} FROM PUBLIC")
    grant("EXECUTE", f"FUNCTION {_CALLED}")
    # lint: allow sql-text - a constant list of functions
    op.execute(f"DROP FUNCTION {_FORMER_NAMES}")


def downgrade() -> None:
    script(_FINISH)
    script(_FORMER)
    # lint: allow sql-text - a constant list of functions
    op.execute(f"REVOKE EXECUTE ON FUNCTION {_FORMER_NAMES} FROM PUBLIC")
    grant("EXECUTE", f"FUNCTION {_FORMER_NAMES}")
    # lint: allow sql-text - a constant list of functions
    op.execute(f"DROP FUNCTION {_CALLED}")
    for table in _PURGED:
        script(f"DROP POLICY purging ON {table};")
    script("DROP POLICY pruning ON idempotency_key; DROP POLICY purging ON document; DROP POLICY kept ON document;")
    _redefine("", "", "")
    script(_UNMARKS)
