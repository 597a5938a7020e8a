"""documents, their versions, and functions that add events and jobs in the statement that writes rows"""

from __future__ import annotations

from partywall.core.db.ddl import grant, script

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

_TABLES = """
CREATE TABLE document (
    project_id uuid NOT NULL CONSTRAINT document_project_id_fkey REFERENCES project (id) ON DELETE CASCADE,
    id uuid DEFAULT uuidv7() NOT NULL,
    external_id text,
    title text NOT NULL,
    content text NOT NULL,
    metadata jsonb DEFAULT '{}' NOT NULL,
    status text DEFAULT 'draft' NOT NULL
        CONSTRAINT document_status_check CHECK (status IN ('draft', 'published')),
    index_status text DEFAULT 'pending' NOT NULL
        CONSTRAINT document_index_status_check CHECK (index_status IN ('pending', 'indexed', 'failed')),
    index_error text,
    chunks integer DEFAULT 0 NOT NULL,
    media_type text DEFAULT 'text/plain' NOT NULL,
    size integer NOT NULL,
    content_sha256 text NOT NULL,
    revision integer DEFAULT 1 NOT NULL,
    state integer DEFAULT 0 NOT NULL,
    version integer DEFAULT 1 NOT NULL,
    original_key text,
    original_name text,
    original_size bigint,
    created_by text NOT NULL,
    created_at timestamptz DEFAULT now() NOT NULL,
    updated_at timestamptz DEFAULT now() NOT NULL,
    CONSTRAINT document_pkey PRIMARY KEY (project_id, id)
);
CREATE UNIQUE INDEX document_external_id_key ON document (project_id, external_id) WHERE external_id IS NOT NULL;
CREATE INDEX document_created_at_idx ON document (project_id, created_at, id);
CREATE INDEX document_updated_at_idx ON document (project_id, updated_at, id);
CREATE INDEX document_title_idx ON document (project_id, title, id);

CREATE TABLE document_version (
    project_id uuid NOT NULL,
    document_id uuid NOT NULL,
    number integer NOT NULL,
    title text NOT NULL,
    content text NOT NULL,
    size integer NOT NULL,
    content_sha256 text NOT NULL,
    created_by text NOT NULL,
    created_at timestamptz DEFAULT now() NOT NULL,
    CONSTRAINT document_version_pkey PRIMARY KEY (project_id, document_id, number),
    CONSTRAINT document_version_project_id_document_id_fkey
        FOREIGN KEY (project_id, document_id) REFERENCES document (project_id, id) ON DELETE CASCADE
);

ALTER TABLE document ENABLE ROW LEVEL SECURITY;
ALTER TABLE document FORCE ROW LEVEL SECURITY;
CREATE POLICY wall ON document USING (project_id = (SELECT wall.current_project()));

ALTER TABLE document_version ENABLE ROW LEVEL SECURITY;
ALTER TABLE document_version FORCE ROW LEVEL SECURITY;
CREATE POLICY wall ON document_version USING (project_id = (SELECT wall.current_project()));
"""

# Functions, because PostgreSQL could plan a data-modifying CTE that *updates* before the scope is bound; a function
# call with the written rows comes after it. They run with the caller's rights.
_FUNCTIONS = """
CREATE FUNCTION wall.append_events(project uuid, actor text, news jsonb) RETURNS bigint LANGUAGE plpgsql VOLATILE AS $$
DECLARE
    newest bigint;
BEGIN
    UPDATE public.event_counter AS c SET last = c.last + jsonb_array_length(news) WHERE c.project_id = project
    RETURNING c.last INTO newest;
    IF newest IS NOT NULL THEN
        INSERT INTO public.event (project_id, id, type, actor, subject_kind, subject_id, data)
        SELECT project, newest - jsonb_array_length(news) + n.number, n.item->>'type', actor,
            n.item->>'subject_kind', n.item->>'subject_id', n.item->'data'
        FROM jsonb_array_elements(news) WITH ORDINALITY AS n(item, number);
    END IF;
    RETURN newest;
END
$$;

CREATE FUNCTION wall.enqueue(kinds text[], payloads bytea[]) RETURNS integer LANGUAGE plpgsql VOLATILE AS $$
BEGIN
    INSERT INTO public.pgqueuer (priority, entrypoint, payload, status)
    SELECT 0, given.kind, given.payload, 'queued' FROM unnest(kinds, payloads) AS given(kind, payload);
    RETURN cardinality(kinds);
END
$$;

REVOKE EXECUTE ON FUNCTION wall.append_events(uuid, text, jsonb), wall.enqueue(text[], bytea[]) FROM PUBLIC;
"""

_CHANGING = """title, content, metadata, external_id, status, index_status, index_error, chunks, media_type, size,
    content_sha256, revision, state, version, original_key, original_name, original_size, updated_at"""


def upgrade() -> None:
    script(_TABLES)
    script(_FUNCTIONS)
    grant("EXECUTE", "FUNCTION wall.append_events(uuid, text, jsonb), wall.enqueue(text[], bytea[])")
    grant(f"SELECT, INSERT, DELETE, UPDATE ({_CHANGING})", "document")
    grant("SELECT, INSERT", "document_version")


def downgrade() -> None:
    script("""
        DROP TABLE document_version, document;
        DROP FUNCTION wall.append_events, wall.enqueue;
    """)
