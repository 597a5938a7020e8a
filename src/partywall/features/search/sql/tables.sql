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
    configuration text NOT NULL,
    context text NOT NULL,
    text text NOT NULL,
    page integer,
    section text,
    staged_for integer,
    CONSTRAINT chunk_pkey PRIMARY KEY (project_id, number),
    CONSTRAINT chunk_section_check CHECK (length(section) <= 200),
    CONSTRAINT chunk_project_id_document_id_fkey
        FOREIGN KEY (project_id, document_id) REFERENCES document (project_id, id) ON DELETE CASCADE
);
CREATE INDEX chunk_project_id_document_id_idx ON chunk (project_id, document_id);
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
    CONSTRAINT posting_project_id_chunk_fkey
        FOREIGN KEY (project_id, chunk) REFERENCES chunk (project_id, number) ON DELETE CASCADE
);
CREATE INDEX posting_project_id_term_idx ON posting (project_id, term);
CREATE INDEX posting_project_id_chunk_idx ON posting (project_id, chunk);
ALTER TABLE posting ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;
CREATE POLICY wall ON posting USING (project_id = (SELECT wall.current_project()));
CREATE POLICY purging ON posting TO CURRENT_USER
    USING (project_id IN (SELECT p.id FROM project AS p WHERE p.deleted_at IS NOT NULL));
GRANT SELECT, INSERT ON posting TO :runtime_role;

-- One table for each dimension, because a vector index has a fixed one. `fault` is what the model could not read.
DO $tables$
DECLARE
    dimension integer;
    statements text;
BEGIN
    FOREACH dimension IN ARRAY ARRAY[256, 384, 768, 1024, 1536, 3072] LOOP
        statements := replace($embedding$
            CREATE TABLE embedding_DIMENSION (
                project_id uuid NOT NULL,
                index_id uuid NOT NULL,
                chunk bigint NOT NULL,
                approximate boolean NOT NULL,
                embedding halfvec(DIMENSION) NOT NULL,
                fault text,
                fault_message text,
                CONSTRAINT embedding_DIMENSION_pkey PRIMARY KEY (project_id, index_id, chunk),
                CONSTRAINT embedding_DIMENSION_project_id_chunk_fkey
                    FOREIGN KEY (project_id, chunk) REFERENCES chunk (project_id, number) ON DELETE CASCADE,
                CONSTRAINT embedding_DIMENSION_project_id_index_id_fkey
                    FOREIGN KEY (project_id, index_id) REFERENCES search_index (project_id, id) ON DELETE CASCADE
            ) WITH (toast_tuple_target = 8160);
            CREATE INDEX embedding_DIMENSION_project_id_chunk_idx ON embedding_DIMENSION (project_id, chunk);
            CREATE INDEX embedding_DIMENSION_embedding_idx ON embedding_DIMENSION
                USING hnsw (embedding halfvec_cosine_ops) WHERE approximate;
            CREATE INDEX embedding_DIMENSION_fault_idx ON embedding_DIMENSION (project_id, index_id, chunk)
                WHERE fault IS NOT NULL;
            ALTER TABLE embedding_DIMENSION ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;
            CREATE POLICY wall ON embedding_DIMENSION USING (project_id = (SELECT wall.current_project()));
            CREATE POLICY purging ON embedding_DIMENSION TO CURRENT_USER
                USING (project_id IN (SELECT p.id FROM project AS p WHERE p.deleted_at IS NOT NULL));
            GRANT SELECT, INSERT, DELETE, UPDATE (approximate) ON embedding_DIMENSION TO :runtime_role;
        $embedding$, 'DIMENSION', dimension::text);
        EXECUTE statements;
    END LOOP;
END
$tables$;
