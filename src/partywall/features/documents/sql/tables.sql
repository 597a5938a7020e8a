CREATE TABLE document (
    project_id uuid NOT NULL,
    id uuid DEFAULT uuidv7() NOT NULL,
    external_id text,
    title text NOT NULL,
    content text NOT NULL,
    metadata jsonb DEFAULT '{}' NOT NULL,
    status text DEFAULT 'draft' NOT NULL,
    index_status text DEFAULT 'pending' NOT NULL,
    index_error text,
    chunks integer DEFAULT 0 NOT NULL,
    media_type text DEFAULT 'text/plain' NOT NULL,
    size integer NOT NULL,
    content_sha256 text NOT NULL,
    revision integer DEFAULT 1 NOT NULL,
    state integer DEFAULT 0 NOT NULL,
    version integer DEFAULT 1 NOT NULL,
    original_key text COLLATE "C",
    original_name text,
    original_size bigint,
    source_sha256 text,
    unread_title text,
    unread_by text,
    unread_note text,
    created_by text NOT NULL,
    created_at timestamptz DEFAULT now() NOT NULL,
    updated_at timestamptz DEFAULT now() NOT NULL,
    history_bytes bigint DEFAULT 0 NOT NULL,
    deleted_at timestamptz,
    purge_at timestamptz,
    purging boolean DEFAULT false NOT NULL,
    former_external_id text,
    CONSTRAINT document_pkey PRIMARY KEY (project_id, id),
    CONSTRAINT document_project_id_fkey FOREIGN KEY (project_id) REFERENCES project (id) ON DELETE CASCADE,
    CONSTRAINT document_index_status_check CHECK (index_status IN ('pending', 'indexed', 'failed')),
    CONSTRAINT document_status_check CHECK (status IN ('draft', 'published'))
);
CREATE UNIQUE INDEX document_external_id_key ON document (project_id, external_id) WHERE external_id IS NOT NULL;
-- A deleted document is in the trash until `purge_at`, which is null once the deletion is final. While it is `purging`, a
-- job has yet to remove its passages or all of it.
CREATE INDEX document_purging_idx ON document (project_id, deleted_at) WHERE purging;
CREATE INDEX document_trash_idx ON document (project_id, deleted_at, id) WHERE purge_at IS NOT NULL;
CREATE INDEX document_purge_at_idx ON document (purge_at) WHERE purge_at IS NOT NULL;
CREATE INDEX document_original_key_idx ON document (project_id, original_key) WHERE original_key IS NOT NULL;
CREATE INDEX document_created_at_idx ON document (project_id, created_at, id) WHERE deleted_at IS NULL;
CREATE INDEX document_updated_at_idx ON document (project_id, updated_at, id) WHERE deleted_at IS NULL;
CREATE INDEX document_title_idx ON document (project_id, title, id) WHERE deleted_at IS NULL;
-- The documents that wait for indexing: no writer enqueues anything. The size class is a CASE, because PostgreSQL turns
-- `(size > 131072) = false` into `size <= 131072`, which the index does not contain, and a cast to a number is not
-- leakproof, so that row-level security could prevent the use of the index.
CREATE INDEX document_pending_idx ON document (project_id, (CASE WHEN size > 131072 THEN 1 ELSE 0 END), id)
    WHERE index_status = 'pending' AND index_error IS NULL AND deleted_at IS NULL;
ALTER TABLE document ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;
CREATE POLICY wall ON document USING (project_id = (SELECT wall.current_project()));
CREATE POLICY kept ON document AS RESTRICTIVE TO :runtime_role USING (deleted_at IS NULL);
CREATE POLICY purging ON document TO CURRENT_USER
    USING (deleted_at IS NOT NULL OR project_id IN (SELECT p.id FROM project AS p WHERE p.deleted_at IS NOT NULL));
CREATE POLICY waiting ON document FOR SELECT TO CURRENT_USER
    USING (index_status = 'pending' AND index_error IS NULL AND deleted_at IS NULL);
GRANT SELECT, INSERT, DELETE, UPDATE (external_id, title, content, metadata, status, index_status, index_error,
    chunks, media_type, size, content_sha256, revision, state, version, original_key, original_name, original_size,
    source_sha256, unread_title, unread_by, unread_note, updated_at) ON document TO :runtime_role;

CREATE TABLE document_version (
    project_id uuid NOT NULL,
    document_id uuid NOT NULL,
    number integer NOT NULL,
    title text NOT NULL,
    size integer NOT NULL,
    content_sha256 text NOT NULL,
    created_by text NOT NULL,
    created_at timestamptz DEFAULT now() NOT NULL,
    CONSTRAINT document_version_pkey PRIMARY KEY (project_id, document_id, number),
    CONSTRAINT document_version_project_id_document_id_fkey
        FOREIGN KEY (project_id, document_id) REFERENCES document (project_id, id) ON DELETE CASCADE
);
ALTER TABLE document_version ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;
CREATE POLICY wall ON document_version USING (project_id = (SELECT wall.current_project()));
CREATE POLICY purging ON document_version TO CURRENT_USER
    USING (project_id IN (SELECT p.id FROM project AS p WHERE p.deleted_at IS NOT NULL));
GRANT SELECT, INSERT ON document_version TO :runtime_role;

CREATE TABLE document_text (
    project_id uuid NOT NULL,
    document_id uuid NOT NULL,
    content_sha256 text NOT NULL,
    size integer NOT NULL,
    content text NOT NULL,
    CONSTRAINT document_text_pkey PRIMARY KEY (project_id, document_id, content_sha256),
    CONSTRAINT document_text_project_id_document_id_fkey
        FOREIGN KEY (project_id, document_id) REFERENCES document (project_id, id) ON DELETE CASCADE
);
ALTER TABLE document_text ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;
CREATE POLICY wall ON document_text USING (project_id = (SELECT wall.current_project()));
CREATE POLICY purging ON document_text TO CURRENT_USER
    USING (project_id IN (SELECT p.id FROM project AS p WHERE p.deleted_at IS NOT NULL));
GRANT SELECT, INSERT ON document_text TO :runtime_role;

-- The documents that were made of the files in an archive. `archive_id` is no key, because they may outlive the archive.
-- `sha256` is that of the file, and `archive_key` the blob of the newest archive that has it.
CREATE TABLE archive_entry (
    project_id uuid NOT NULL,
    document_id uuid NOT NULL,
    archive_id uuid NOT NULL,
    path text NOT NULL,
    sha256 text NOT NULL,
    archive_key text NOT NULL,
    CONSTRAINT archive_entry_pkey PRIMARY KEY (project_id, document_id),
    CONSTRAINT archive_entry_project_id_document_id_fkey
        FOREIGN KEY (project_id, document_id) REFERENCES document (project_id, id) ON DELETE CASCADE
);
CREATE INDEX archive_entry_path_idx ON archive_entry (project_id, archive_id, path);
ALTER TABLE archive_entry ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;
CREATE POLICY wall ON archive_entry USING (project_id = (SELECT wall.current_project()));
CREATE POLICY purging ON archive_entry TO CURRENT_USER
    USING (project_id IN (SELECT p.id FROM project AS p WHERE p.deleted_at IS NOT NULL));
GRANT SELECT, INSERT, UPDATE (sha256, archive_key) ON archive_entry TO :runtime_role;

-- One row for each document that a worker has claimed, now or before. It is not claimed again before `due_at`, the end
-- of the lease or of a pause, unless the document has been edited since: then `revision` differs. `words` marks a
-- document whose words are indexed while its vectors are missing; it is pending, with the reason in `index_error`.
CREATE TABLE indexing_attempt (
    project_id uuid NOT NULL,
    document_id uuid NOT NULL,
    revision integer NOT NULL,
    attempts integer NOT NULL,
    due_at timestamptz NOT NULL,
    lease uuid,
    words boolean DEFAULT false NOT NULL,
    CONSTRAINT indexing_attempt_pkey PRIMARY KEY (project_id, document_id),
    CONSTRAINT indexing_attempt_project_id_document_id_fkey
        FOREIGN KEY (project_id, document_id) REFERENCES document (project_id, id) ON DELETE CASCADE
) WITH (
    fillfactor = 50
);
CREATE INDEX indexing_attempt_words_idx ON indexing_attempt (project_id, document_id) WHERE words;
ALTER TABLE indexing_attempt ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;
CREATE POLICY wall ON indexing_attempt USING (project_id = (SELECT wall.current_project()));
CREATE POLICY waiting ON indexing_attempt FOR SELECT TO CURRENT_USER USING (true);
GRANT SELECT, INSERT, UPDATE, DELETE ON indexing_attempt TO :runtime_role;

-- The values in the metadata of documents, maintained by the database. They narrow a filter down; the metadata itself
-- decides. Names and values are cut.
CREATE TABLE document_value (
    project_id uuid NOT NULL,
    document_id uuid NOT NULL,
    name text COLLATE "C" NOT NULL,
    value text COLLATE "C" NOT NULL,
    CONSTRAINT document_value_pkey PRIMARY KEY (project_id, name, value, document_id),
    CONSTRAINT document_value_project_id_document_id_fkey
        FOREIGN KEY (project_id, document_id) REFERENCES document (project_id, id) ON DELETE CASCADE
);
CREATE INDEX document_value_project_id_document_id_idx ON document_value (project_id, document_id);
ALTER TABLE document_value ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;
CREATE POLICY wall ON document_value USING (project_id = (SELECT wall.current_project()));
CREATE POLICY keeping ON document_value TO CURRENT_USER USING (true);
GRANT SELECT ON document_value TO :runtime_role;

-- The deletions of all documents that match a filter. `last_document` is how far one has come, in the order of ids.
CREATE TABLE document_deletion (
    project_id uuid NOT NULL,
    id uuid DEFAULT uuidv7() NOT NULL,
    filter jsonb NOT NULL,
    created_by text NOT NULL,
    created_at timestamptz DEFAULT now() NOT NULL,
    last_document uuid,
    deleted integer DEFAULT 0 NOT NULL,
    finished_at timestamptz,
    error text,
    CONSTRAINT document_deletion_pkey PRIMARY KEY (project_id, id),
    CONSTRAINT document_deletion_project_id_fkey FOREIGN KEY (project_id) REFERENCES project (id) ON DELETE CASCADE
);
ALTER TABLE document_deletion ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;
CREATE POLICY wall ON document_deletion USING (project_id = (SELECT wall.current_project()));
CREATE POLICY purging ON document_deletion TO CURRENT_USER
    USING (project_id IN (SELECT p.id FROM project AS p WHERE p.deleted_at IS NOT NULL));
GRANT SELECT, INSERT, DELETE, UPDATE (last_document, deleted, finished_at, error) ON document_deletion
    TO :runtime_role;
