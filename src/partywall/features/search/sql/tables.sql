CREATE TABLE search_statistic (
    project_id uuid NOT NULL,
    chunks bigint DEFAULT 0 NOT NULL,
    terms bigint DEFAULT 0 NOT NULL,
    configurations text[] DEFAULT '{}' NOT NULL,
    CONSTRAINT search_statistic_pkey PRIMARY KEY (project_id),
    CONSTRAINT search_statistic_project_id_fkey FOREIGN KEY (project_id) REFERENCES project (id) ON DELETE CASCADE
);
ALTER TABLE search_statistic ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;
CREATE POLICY wall ON search_statistic USING (project_id = (SELECT wall.current_project()));
CREATE POLICY counting ON search_statistic TO CURRENT_USER USING (true);
GRANT SELECT, UPDATE (configurations) ON search_statistic TO :runtime_role;

CREATE TABLE search_index (
    project_id uuid NOT NULL,
    id uuid DEFAULT uuidv7() NOT NULL,
    model text NOT NULL,
    dimension integer NOT NULL,
    status text NOT NULL,
    external boolean DEFAULT false NOT NULL,
    approximate boolean DEFAULT false NOT NULL,
    created_at timestamptz DEFAULT now() NOT NULL,
    activated_at timestamptz,
    CONSTRAINT search_index_pkey PRIMARY KEY (project_id, id),
    CONSTRAINT search_index_project_id_model_key UNIQUE (project_id, model),
    CONSTRAINT search_index_project_id_fkey FOREIGN KEY (project_id) REFERENCES project (id) ON DELETE CASCADE,
    CONSTRAINT search_index_status_check CHECK (status IN ('building', 'active', 'retired'))
);
CREATE UNIQUE INDEX search_index_active_idx ON search_index (project_id) WHERE status = 'active';
CREATE UNIQUE INDEX search_index_building_idx ON search_index (project_id) WHERE status = 'building';
ALTER TABLE search_index ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;
CREATE POLICY wall ON search_index USING (project_id = (SELECT wall.current_project()));
CREATE POLICY directory ON search_index FOR SELECT TO CURRENT_USER USING (true);
CREATE POLICY purging ON search_index TO CURRENT_USER
    USING (project_id IN (SELECT p.id FROM project AS p WHERE p.deleted_at IS NOT NULL));
GRANT SELECT, INSERT, UPDATE ON search_index TO :runtime_role;

CREATE TABLE chunk (
    project_id uuid NOT NULL,
    number bigint GENERATED ALWAYS AS IDENTITY,
    id uuid DEFAULT uuidv7() NOT NULL,
    document_id uuid NOT NULL,
    first integer NOT NULL,
    last integer NOT NULL,
    length integer NOT NULL,
    begins boolean NOT NULL,
    configuration text NOT NULL,
    context text NOT NULL,
    text text NOT NULL,
    page integer,
    section text,
    sections jsonb,
    staged_for integer,
    text_hash bigint NOT NULL,
    passage_hash bigint NOT NULL,
    CONSTRAINT chunk_pkey PRIMARY KEY (project_id, number) INCLUDE (document_id, text_hash, passage_hash),
    CONSTRAINT chunk_section_check CHECK (length(section) <= 200),
    CONSTRAINT chunk_project_id_document_id_fkey
        FOREIGN KEY (project_id, document_id) REFERENCES document (project_id, id) ON DELETE CASCADE
);
CREATE INDEX chunk_project_id_document_id_idx ON chunk (project_id, document_id);
-- Finds the documents with a text: one entry for each.
CREATE INDEX chunk_text_idx ON chunk (project_id, text_hash, document_id) WHERE begins AND staged_for IS NULL;
CREATE INDEX chunk_staged_idx ON chunk (project_id, document_id) WHERE staged_for IS NOT NULL;
ALTER TABLE chunk ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;
CREATE POLICY wall ON chunk USING (project_id = (SELECT wall.current_project()));
CREATE POLICY purging ON chunk TO CURRENT_USER
    USING (project_id IN (SELECT p.id FROM project AS p WHERE p.deleted_at IS NOT NULL));
GRANT SELECT, INSERT, DELETE, UPDATE (staged_for) ON chunk TO :runtime_role;

CREATE TABLE posting (
    project_id uuid NOT NULL,
    chunk bigint NOT NULL,
    frequency smallint NOT NULL,
    length smallint NOT NULL,
    term text COLLATE "C" NOT NULL,
    -- `postings.sql` enforces it.
    CONSTRAINT posting_project_id_chunk_fkey
        FOREIGN KEY (project_id, chunk) REFERENCES chunk (project_id, number) ON DELETE CASCADE NOT ENFORCED
);
CREATE INDEX posting_project_id_term_idx ON posting (project_id, term);
-- Counts the passages that have a term only in headings or in parts of compounds.
CREATE INDEX posting_project_id_term_weak_idx ON posting (project_id, term) WHERE frequency = 0;
CREATE INDEX posting_project_id_chunk_idx ON posting (project_id, chunk);
ALTER TABLE posting ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;
CREATE POLICY wall ON posting USING (project_id = (SELECT wall.current_project()));
CREATE POLICY purging ON posting TO CURRENT_USER
    USING (project_id IN (SELECT p.id FROM project AS p WHERE p.deleted_at IS NOT NULL));
-- As a foreign key deletes, of whatever project: `postings.sql` runs as the owner when a document takes its chunks along.
CREATE POLICY cascading ON posting FOR DELETE TO CURRENT_USER USING (true);
CREATE POLICY cascading_select ON posting FOR SELECT TO CURRENT_USER USING (true);
GRANT SELECT, INSERT, DELETE ON posting TO :runtime_role;

-- Vectors of any dimension; `fault` is what the model could not read. Those that are `external` are handed to the vector
-- server (`vector_changes.sql`), and are in no index here. Each dimension has an HNSW index of its own; that
-- of the bundled model is made here, others by `partywall migrate`. Until one exists, vectors are compared one by one.
CREATE TABLE embedding (
    project_id uuid NOT NULL,
    index_id uuid NOT NULL,
    chunk bigint NOT NULL,
    dimension smallint NOT NULL,
    external boolean DEFAULT false NOT NULL,
    approximate boolean NOT NULL,
    embedding halfvec NOT NULL,
    fault text,
    fault_message text,
    CONSTRAINT embedding_pkey PRIMARY KEY (project_id, index_id, chunk),
    CONSTRAINT embedding_project_id_chunk_fkey
        FOREIGN KEY (project_id, chunk) REFERENCES chunk (project_id, number) ON DELETE CASCADE,
    CONSTRAINT embedding_project_id_index_id_fkey
        FOREIGN KEY (project_id, index_id) REFERENCES search_index (project_id, id) ON DELETE CASCADE,
    CONSTRAINT embedding_dimension_check CHECK (vector_dims(embedding) = dimension)
) WITH (toast_tuple_target = 8160);
CREATE INDEX embedding_project_id_chunk_idx ON embedding (project_id, chunk);
CREATE INDEX embedding_fault_idx ON embedding (project_id, index_id, chunk) WHERE fault IS NOT NULL;
CREATE INDEX embedding_hnsw_256 ON embedding USING hnsw ((embedding::halfvec(256)) halfvec_cosine_ops)
    WHERE dimension = 256 AND approximate;
ALTER TABLE embedding ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;
CREATE POLICY wall ON embedding USING (project_id = (SELECT wall.current_project()));
CREATE POLICY purging ON embedding TO CURRENT_USER
    USING (project_id IN (SELECT p.id FROM project AS p WHERE p.deleted_at IS NOT NULL));
GRANT SELECT, INSERT, DELETE, UPDATE (external, approximate) ON embedding TO :runtime_role;

-- What the vector server does not know yet: it gets the vector if it is still there, and else deletes it, twice.
CREATE TABLE vector_change (
    project_id uuid NOT NULL,
    index_id uuid NOT NULL,
    chunk bigint NOT NULL,
    deleted_once boolean DEFAULT false NOT NULL,
    due_at timestamptz DEFAULT now() NOT NULL,
    CONSTRAINT vector_change_pkey PRIMARY KEY (project_id, index_id, chunk),
    CONSTRAINT vector_change_project_id_index_id_fkey
        FOREIGN KEY (project_id, index_id) REFERENCES search_index (project_id, id) ON DELETE CASCADE
);
CREATE INDEX vector_change_due_idx ON vector_change (project_id, due_at);
ALTER TABLE vector_change ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;
CREATE POLICY wall ON vector_change USING (project_id = (SELECT wall.current_project()));
CREATE POLICY noting ON vector_change TO CURRENT_USER USING (true);
GRANT SELECT, INSERT, DELETE, UPDATE (deleted_once, due_at) ON vector_change TO :runtime_role;
