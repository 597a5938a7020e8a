-- A posting belongs to a chunk of its project. The foreign key is declared but not enforced: PostgreSQL would check each of
-- a chunk's hundred rows alone, which takes as long as writing them. These triggers check and delete them together.

-- Refuses postings without a chunk, and keeps the chunks from being deleted before the commit.
CREATE OR REPLACE FUNCTION wall.require_chunks() RETURNS trigger
    LANGUAGE plpgsql SET search_path = pg_catalog
AS $$
BEGIN
    IF EXISTS (
        SELECT FROM (SELECT DISTINCT w.project_id, w.chunk FROM written AS w) AS w
        WHERE NOT EXISTS (
            SELECT FROM public.chunk AS c WHERE c.project_id = w.project_id AND c.number = w.chunk FOR KEY SHARE
        )
    ) THEN
        RAISE foreign_key_violation USING
            MESSAGE = 'insert or update on table "posting" violates foreign key constraint "posting_project_id_chunk_fkey"',
            CONSTRAINT = 'posting_project_id_chunk_fkey', TABLE = 'posting', SCHEMA = 'public';
    END IF;
    RETURN NULL;
END
$$;
CREATE OR REPLACE TRIGGER posting_inserted AFTER INSERT ON posting
    REFERENCING NEW TABLE AS written FOR EACH STATEMENT EXECUTE FUNCTION wall.require_chunks();
CREATE OR REPLACE TRIGGER posting_updated AFTER UPDATE ON posting
    REFERENCING NEW TABLE AS written FOR EACH STATEMENT EXECUTE FUNCTION wall.require_chunks();

-- Deletes the postings of removed chunks.
CREATE OR REPLACE FUNCTION wall.delete_postings() RETURNS trigger
    LANGUAGE plpgsql SET search_path = pg_catalog
AS $$
BEGIN
    DELETE FROM public.posting WHERE ctid = ANY (ARRAY(
        SELECT of_chunk.place FROM removed AS r CROSS JOIN LATERAL (
            SELECT p.ctid AS place FROM public.posting AS p
            WHERE p.project_id = r.project_id AND p.chunk = r.number OFFSET 0
        ) AS of_chunk
    ));
    RETURN NULL;
END
$$;
CREATE OR REPLACE TRIGGER chunk_postings_removed AFTER DELETE ON chunk
    REFERENCING OLD TABLE AS removed FOR EACH STATEMENT EXECUTE FUNCTION wall.delete_postings();

-- A chunk keeps its key as long as it has postings.
CREATE OR REPLACE FUNCTION wall.keep_chunk_keys() RETURNS trigger
    LANGUAGE plpgsql SET search_path = pg_catalog
AS $$
BEGIN
    RAISE foreign_key_violation USING MESSAGE = 'a chunk keeps its project and its number';
END
$$;
CREATE OR REPLACE TRIGGER chunk_key_changed BEFORE UPDATE OF project_id, number ON chunk
    FOR EACH ROW WHEN (NEW.project_id <> OLD.project_id OR NEW.number <> OLD.number)
    EXECUTE FUNCTION wall.keep_chunk_keys();
