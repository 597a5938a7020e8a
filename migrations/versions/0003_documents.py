"""documents and their versions"""

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

_CHANGING = """title, content, metadata, external_id, status, index_status, index_error, chunks, media_type, size,
    content_sha256, revision, state, version, original_key, original_name, original_size, updated_at"""


def upgrade() -> None:
    script(_TABLES)
    grant(f"SELECT, INSERT, DELETE, UPDATE ({_CHANGING})", "document")
    grant("SELECT, INSERT", "document_version")


def downgrade() -> None:
    script("DROP TABLE document_version, document")
