"""the wall, accounts, projects, events, idempotency keys, signing keys and the job queue"""

from __future__ import annotations

from pathlib import Path

from alembic import op

from partywall.core.db.ddl import grant, script

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

_QUEUE = Path(__file__).with_name("0001_pgqueuer.sql")

_WALL = """
CREATE FUNCTION wall.current_user_id() RETURNS uuid LANGUAGE sql STABLE PARALLEL SAFE
    SET search_path = pg_catalog
AS $$
    SELECT CASE WHEN current_setting('partywall.principal', true) LIKE 'user:%'
        THEN substr(current_setting('partywall.principal', true), 6)::uuid END
$$;

CREATE FUNCTION wall.current_principal() RETURNS text LANGUAGE sql STABLE PARALLEL SAFE
    SET search_path = pg_catalog
AS $$ SELECT nullif(current_setting('partywall.principal', true), '') $$;

CREATE FUNCTION wall.role_of(principal text, project uuid) RETURNS text LANGUAGE plpgsql STABLE SECURITY DEFINER
    SET search_path = pg_catalog
AS $$
DECLARE
    found_role text;
BEGIN
    IF principal LIKE 'user:%' THEN
        SELECT member.role INTO found_role
        FROM public.project_member AS member JOIN public.account ON account.id = member.account_id
        WHERE member.project_id = project AND member.account_id = substr(principal, 6)::uuid
            AND account.disabled_at IS NULL;
    ELSIF principal = 'service:' || project::text THEN
        SELECT 'service' INTO found_role FROM public.project AS p WHERE p.id = project;
    END IF;
    RETURN found_role;
END
$$;

CREATE FUNCTION wall.open_scope(principal text, project uuid) RETURNS text LANGUAGE plpgsql VOLATILE
    SET search_path = pg_catalog
AS $$
BEGIN
    PERFORM set_config('partywall.principal', principal, true), set_config('partywall.project', project::text, true);
    RETURN wall.role_of(principal, project);
END
$$;

CREATE FUNCTION wall.current_project() RETURNS uuid LANGUAGE plpgsql STABLE
    SET search_path = pg_catalog
AS $$
DECLARE
    principal text := nullif(current_setting('partywall.principal', true), '');
    project uuid := nullif(current_setting('partywall.project', true), '')::uuid;
BEGIN
    IF principal IS NULL OR project IS NULL OR wall.role_of(principal, project) IS NULL THEN
        RETURN NULL;
    END IF;
    RETURN project;
END
$$;

CREATE FUNCTION wall.projects_of_user() RETURNS SETOF uuid LANGUAGE sql STABLE SECURITY DEFINER
    SET search_path = pg_catalog
AS $$
    SELECT member.project_id
    FROM public.project_member AS member JOIN public.account ON account.id = member.account_id
    WHERE member.account_id = wall.current_user_id() AND account.disabled_at IS NULL
$$;

CREATE FUNCTION wall.found_project(name text, description text) RETURNS uuid LANGUAGE plpgsql SECURITY DEFINER
    SET search_path = pg_catalog
AS $$
DECLARE
    founder uuid := wall.current_user_id();
    made uuid;
BEGIN
    IF NOT EXISTS (SELECT FROM public.account WHERE id = founder AND disabled_at IS NULL) THEN
        RETURN NULL;
    END IF;
    INSERT INTO public.project (name, description) VALUES (name, description) RETURNING id INTO made;
    INSERT INTO public.project_member (project_id, account_id, role) VALUES (made, founder, 'owner');
    INSERT INTO public.event_counter (project_id) VALUES (made);
    RETURN made;
END
$$;
"""

_TABLES = """
CREATE TABLE account (
    id uuid DEFAULT uuidv7() NOT NULL CONSTRAINT account_pkey PRIMARY KEY,
    email text NOT NULL CONSTRAINT account_email_key UNIQUE,
    email_verified_at timestamptz,
    full_name text,
    password_hash text,
    disabled_at timestamptz,
    revision integer DEFAULT 1 NOT NULL,
    created_at timestamptz DEFAULT now() NOT NULL,
    updated_at timestamptz DEFAULT now() NOT NULL
);

CREATE TABLE project (
    id uuid DEFAULT uuidv7() NOT NULL CONSTRAINT project_pkey PRIMARY KEY,
    name text NOT NULL,
    description text,
    revision integer DEFAULT 1 NOT NULL,
    created_at timestamptz DEFAULT now() NOT NULL,
    updated_at timestamptz DEFAULT now() NOT NULL
);

CREATE TABLE project_member (
    project_id uuid NOT NULL CONSTRAINT project_member_project_id_fkey REFERENCES project (id) ON DELETE CASCADE,
    account_id uuid NOT NULL CONSTRAINT project_member_account_id_fkey REFERENCES account (id) ON DELETE CASCADE,
    role text NOT NULL CONSTRAINT project_member_role_check CHECK (role IN ('owner', 'admin', 'editor', 'viewer')),
    joined_at timestamptz DEFAULT now() NOT NULL,
    CONSTRAINT project_member_pkey PRIMARY KEY (project_id, account_id)
);
CREATE INDEX project_member_account_id_idx ON project_member (account_id);

CREATE TABLE event_counter (
    project_id uuid NOT NULL CONSTRAINT event_counter_pkey PRIMARY KEY
        CONSTRAINT event_counter_project_id_fkey REFERENCES project (id) ON DELETE CASCADE,
    last bigint DEFAULT 0 NOT NULL,
    oldest bigint DEFAULT 1 NOT NULL
);

CREATE TABLE event (
    project_id uuid NOT NULL
        CONSTRAINT event_project_id_fkey REFERENCES event_counter (project_id) ON DELETE CASCADE,
    id bigint NOT NULL,
    type text NOT NULL,
    actor text NOT NULL,
    subject_kind text NOT NULL,
    subject_id text NOT NULL,
    data jsonb DEFAULT '{}' NOT NULL,
    at timestamptz DEFAULT clock_timestamp() NOT NULL,
    CONSTRAINT event_pkey PRIMARY KEY (project_id, id)
);
CREATE INDEX event_at_idx ON event USING brin (at);

CREATE TABLE idempotency_key (
    principal text NOT NULL,
    project_id uuid NOT NULL,
    route text NOT NULL,
    key text NOT NULL,
    fingerprint bytea NOT NULL,
    status integer NOT NULL,
    headers jsonb NOT NULL,
    body bytea NOT NULL,
    created_at timestamptz DEFAULT now() NOT NULL,
    CONSTRAINT idempotency_key_pkey PRIMARY KEY (principal, project_id, route, key)
);
CREATE INDEX idempotency_key_created_at_idx ON idempotency_key (created_at);

CREATE TABLE signing_key (
    kid text NOT NULL CONSTRAINT signing_key_pkey PRIMARY KEY,
    public_jwk jsonb NOT NULL,
    sealed_private_jwk bytea NOT NULL,
    active_at timestamptz DEFAULT now() NOT NULL,
    retired_at timestamptz,
    created_at timestamptz DEFAULT now() NOT NULL
);

CREATE TABLE job_attempt (
    job_id bigint NOT NULL CONSTRAINT job_attempt_pkey PRIMARY KEY,
    kind text NOT NULL,
    attempts integer DEFAULT 0 NOT NULL,
    payload jsonb NOT NULL,
    error text,
    dead_letter_at timestamptz,
    updated_at timestamptz DEFAULT now() NOT NULL
);
"""

_POLICIES = """
ALTER TABLE account ENABLE ROW LEVEL SECURITY;
ALTER TABLE account FORCE ROW LEVEL SECURITY;
CREATE POLICY own ON account USING (id = (SELECT wall.current_user_id()));
CREATE POLICY directory ON account TO CURRENT_USER USING (true);

ALTER TABLE project ENABLE ROW LEVEL SECURITY;
ALTER TABLE project FORCE ROW LEVEL SECURITY;
CREATE POLICY wall ON project USING (id = (SELECT wall.current_project()));
CREATE POLICY listed ON project FOR SELECT USING (id IN (SELECT wall.projects_of_user()));
CREATE POLICY directory ON project TO CURRENT_USER USING (true);

ALTER TABLE project_member ENABLE ROW LEVEL SECURITY;
ALTER TABLE project_member FORCE ROW LEVEL SECURITY;
CREATE POLICY wall ON project_member USING (project_id = (SELECT wall.current_project()));
CREATE POLICY own ON project_member FOR SELECT USING (account_id = (SELECT wall.current_user_id()));
CREATE POLICY directory ON project_member TO CURRENT_USER USING (true);

ALTER TABLE event_counter ENABLE ROW LEVEL SECURITY;
ALTER TABLE event_counter FORCE ROW LEVEL SECURITY;
CREATE POLICY wall ON event_counter USING (project_id = (SELECT wall.current_project()));
CREATE POLICY founding ON event_counter FOR INSERT TO CURRENT_USER WITH CHECK (true);

ALTER TABLE event ENABLE ROW LEVEL SECURITY;
ALTER TABLE event FORCE ROW LEVEL SECURITY;
CREATE POLICY wall ON event USING (project_id = (SELECT wall.current_project()));

ALTER TABLE idempotency_key ENABLE ROW LEVEL SECURITY;
ALTER TABLE idempotency_key FORCE ROW LEVEL SECURITY;
CREATE POLICY own ON idempotency_key USING (principal = (SELECT wall.current_principal()));
"""

_DROP = """
DROP TABLE job_attempt, signing_key, idempotency_key, event, event_counter, project_member, project, account CASCADE;
DROP SCHEMA wall CASCADE;
DROP TABLE pgqueuer, pgqueuer_log, pgqueuer_schedules, pgqueuer_statistics;
DROP FUNCTION fn_pgqueuer_changed;
DROP TYPE pgqueuer_status;
"""


def upgrade() -> None:
    op.execute("CREATE SCHEMA wall")
    op.execute("REVOKE CREATE ON SCHEMA public FROM PUBLIC")
    script(_QUEUE.read_text(encoding="utf-8"))
    script(_TABLES)
    script(_WALL)
    script(_POLICIES)
    op.execute("REVOKE EXECUTE ON ALL FUNCTIONS IN SCHEMA wall FROM PUBLIC")
    grant("USAGE", "SCHEMA wall, public")
    grant("EXECUTE", "ALL FUNCTIONS IN SCHEMA wall")
    grant(
        "SELECT (id, email, email_verified_at, full_name, disabled_at, revision, created_at, updated_at),"
        " UPDATE (full_name, revision, updated_at)",
        "account",
    )
    grant("SELECT, UPDATE (name, description, revision, updated_at), DELETE", "project")
    grant("SELECT", "project_member")
    grant("SELECT, UPDATE", "event_counter")
    grant("SELECT, INSERT, DELETE", "event")
    grant("SELECT, INSERT, DELETE", "idempotency_key")
    grant("SELECT, INSERT, UPDATE", "signing_key")
    grant("SELECT, INSERT, UPDATE, DELETE", "job_attempt")
    grant("SELECT, INSERT, UPDATE, DELETE", "pgqueuer, pgqueuer_log, pgqueuer_schedules, pgqueuer_statistics")
    grant("USAGE", "SEQUENCE pgqueuer_id_seq, pgqueuer_schedules_id_seq, pgqueuer_statistics_id_seq")
    grant("SELECT", "alembic_version")


def downgrade() -> None:
    script(_DROP)
