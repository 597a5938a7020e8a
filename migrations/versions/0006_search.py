"""chunks, postings, vectors by dimension, and the active search index"""

from __future__ import annotations

from alembic import op

from partywall.core.db.ddl import grant, script

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None

DIMENSIONS = (256, 384, 768, 1024, 1536, 3072)

_PLAIN = """
CREATE TEXT SEARCH CONFIGURATION partywall_plain (COPY = simple);
ALTER TEXT SEARCH CONFIGURATION partywall_plain
    ALTER MAPPING FOR word, hword, hword_part WITH unaccent, simple;
"""

_TABLES = """
CREATE TABLE search_statistic (
    project_id uuid NOT NULL CONSTRAINT search_statistic_pkey PRIMARY KEY
        CONSTRAINT search_statistic_project_id_fkey REFERENCES project (id) ON DELETE CASCADE,
    chunks bigint DEFAULT 0 NOT NULL,
    terms bigint DEFAULT 0 NOT NULL,
    configurations text[] DEFAULT '{}' NOT NULL
);

CREATE TABLE search_index (
    project_id uuid NOT NULL
        CONSTRAINT search_index_project_id_fkey REFERENCES project (id) ON DELETE CASCADE,
    id uuid DEFAULT uuidv7() NOT NULL,
    model text NOT NULL,
    dimension integer NOT NULL,
    status text NOT NULL
        CONSTRAINT search_index_status_check CHECK (status IN ('building', 'active', 'retired')),
    approximate boolean DEFAULT false NOT NULL,
    created_at timestamptz DEFAULT now() NOT NULL,
    activated_at timestamptz,
    CONSTRAINT search_index_pkey PRIMARY KEY (project_id, id),
    CONSTRAINT search_index_project_id_model_key UNIQUE (project_id, model)
);
CREATE UNIQUE INDEX search_index_active_idx ON search_index (project_id) WHERE status = 'active';
CREATE UNIQUE INDEX search_index_building_idx ON search_index (project_id) WHERE status = 'building';

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
    CONSTRAINT chunk_pkey PRIMARY KEY (project_id, number),
    CONSTRAINT chunk_project_id_document_id_fkey FOREIGN KEY (project_id, document_id)
        REFERENCES document (project_id, id) ON DELETE CASCADE
);
CREATE INDEX chunk_project_id_document_id_idx ON chunk (project_id, document_id);

CREATE TABLE posting (
    project_id uuid NOT NULL,
    chunk bigint NOT NULL,
    frequency smallint NOT NULL,
    length smallint NOT NULL,
    term text COLLATE "C" NOT NULL,
    CONSTRAINT posting_project_id_chunk_fkey FOREIGN KEY (project_id, chunk)
        REFERENCES chunk (project_id, number) ON DELETE CASCADE
);
CREATE INDEX posting_project_id_term_idx ON posting (project_id, term);
CREATE INDEX posting_project_id_chunk_idx ON posting (project_id, chunk);
"""

_EMBEDDING = """
CREATE TABLE {table} (
    project_id uuid NOT NULL,
    index_id uuid NOT NULL,
    chunk bigint NOT NULL,
    approximate boolean NOT NULL,
    embedding halfvec({dimension}) NOT NULL,
    CONSTRAINT {table}_pkey PRIMARY KEY (project_id, index_id, chunk),
    CONSTRAINT {table}_project_id_chunk_fkey FOREIGN KEY (project_id, chunk)
        REFERENCES chunk (project_id, number) ON DELETE CASCADE,
    CONSTRAINT {table}_project_id_index_id_fkey FOREIGN KEY (project_id, index_id)
        REFERENCES search_index (project_id, id) ON DELETE CASCADE
) WITH (toast_tuple_target = 8160);
CREATE INDEX {table}_project_id_chunk_idx ON {table} (project_id, chunk);
CREATE INDEX {table}_embedding_idx ON {table} USING hnsw (embedding halfvec_cosine_ops) WHERE approximate;
"""

# The transaction that adds or removes chunks updates the count, whether it is a job, a user, a cascade or an operator
# without a scope.
_COUNTS = """
CREATE POLICY counting ON search_statistic TO CURRENT_USER USING (true);

CREATE FUNCTION wall.count_added_chunks() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER
    SET search_path = pg_catalog
AS $$
BEGIN
    INSERT INTO public.search_statistic AS corpus (project_id, chunks, terms)
    SELECT project_id, count(*), sum(length) FROM added GROUP BY project_id
    ON CONFLICT (project_id) DO UPDATE
        SET chunks = corpus.chunks + excluded.chunks, terms = corpus.terms + excluded.terms;
    RETURN NULL;
END
$$;

CREATE FUNCTION wall.count_removed_chunks() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER
    SET search_path = pg_catalog
AS $$
BEGIN
    UPDATE public.search_statistic AS corpus
    SET chunks = corpus.chunks - gone.chunks, terms = corpus.terms - gone.terms
    FROM (SELECT project_id, count(*) AS chunks, sum(length) AS terms FROM removed GROUP BY project_id) AS gone
    WHERE corpus.project_id = gone.project_id;
    RETURN NULL;
END
$$;

CREATE TRIGGER chunk_added AFTER INSERT ON chunk
    REFERENCING NEW TABLE AS added FOR EACH STATEMENT EXECUTE FUNCTION wall.count_added_chunks();
CREATE TRIGGER chunk_removed AFTER DELETE ON chunk
    REFERENCING OLD TABLE AS removed FOR EACH STATEMENT EXECUTE FUNCTION wall.count_removed_chunks();
"""

# Finds the projects to reindex with another model, across all projects; returns only their ids.
_STALE = """
CREATE POLICY directory ON search_index FOR SELECT TO CURRENT_USER USING (true);

CREATE FUNCTION wall.projects_without_index_of(model text) RETURNS SETOF uuid LANGUAGE sql STABLE SECURITY DEFINER
    SET search_path = pg_catalog
AS $$
    SELECT project_id FROM public.search_index AS i WHERE status IN ('active', 'building')
    GROUP BY project_id HAVING NOT bool_or(i.model = projects_without_index_of.model)
$$;
"""

_WALL = """
ALTER TABLE {table} ENABLE ROW LEVEL SECURITY;
ALTER TABLE {table} FORCE ROW LEVEL SECURITY;
CREATE POLICY wall ON {table} USING (project_id = (SELECT wall.current_project()));
"""

_DROP = """
DROP FUNCTION wall.projects_without_index_of(text);
DROP TABLE posting, chunk, search_index, search_statistic;
DROP FUNCTION wall.count_added_chunks();
DROP FUNCTION wall.count_removed_chunks();
DROP TEXT SEARCH CONFIGURATION partywall_plain;
"""


def upgrade() -> None:
    embeddings = [f"embedding_{dimension}" for dimension in DIMENSIONS]
    script(_PLAIN)
    script(_TABLES)
    for table, dimension in zip(embeddings, DIMENSIONS, strict=True):
        script(_EMBEDDING.format(table=table, dimension=dimension))
    for table in ("search_statistic", "search_index", "chunk", "posting", *embeddings):
        script(_WALL.format(table=table))
    script(_COUNTS)
    script(_STALE)
    op.execute("REVOKE EXECUTE ON FUNCTION wall.count_added_chunks(), wall.count_removed_chunks() FROM PUBLIC")
    op.execute("REVOKE EXECUTE ON FUNCTION wall.projects_without_index_of(text) FROM PUBLIC")
    grant("EXECUTE", "FUNCTION wall.projects_without_index_of(text)")
    grant("SELECT, UPDATE (configurations)", "search_statistic")
    grant("SELECT, INSERT, UPDATE", "search_index")
    grant("SELECT, INSERT, DELETE", "chunk")
    grant("SELECT, INSERT", "posting")
    grant("SELECT, INSERT, DELETE, UPDATE (approximate)", ", ".join(embeddings))


def downgrade() -> None:
    for dimension in DIMENSIONS:
        op.execute(f"DROP TABLE embedding_{dimension}")
    script(_DROP)
