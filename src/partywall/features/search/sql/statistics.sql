-- The totals that ranking needs, kept by the transaction that adds or removes chunks, whoever runs it.

-- Adds new chunks and their terms to the project's totals.
CREATE OR REPLACE FUNCTION wall.count_added_chunks() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog
AS $$
DECLARE
    grown record;
BEGIN
    FOR grown IN
        INSERT INTO public.search_statistic AS corpus (project_id, chunks, terms)
        SELECT project_id, count(*), sum(length) FROM added GROUP BY project_id
        ON CONFLICT (project_id) DO UPDATE
            SET chunks = corpus.chunks + excluded.chunks, terms = corpus.terms + excluded.terms
        RETURNING corpus.project_id, corpus.chunks
    LOOP
        PERFORM wall.require_quota('passages', grown.chunks, (SELECT count(*) FROM added),
            wall.quota_of(grown.project_id, 'passages'), true);
    END LOOP;
    RETURN NULL;
END
$$;
CREATE OR REPLACE TRIGGER chunk_added AFTER INSERT ON chunk
    REFERENCING NEW TABLE AS added FOR EACH STATEMENT EXECUTE FUNCTION wall.count_added_chunks();

-- Subtracts removed chunks and their terms from the project's totals.
CREATE OR REPLACE FUNCTION wall.count_removed_chunks() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog
AS $$
BEGIN
    UPDATE public.search_statistic AS corpus
    SET chunks = corpus.chunks - gone.chunks, terms = corpus.terms - gone.terms
    FROM (SELECT project_id, count(*) AS chunks, sum(length) AS terms FROM removed GROUP BY project_id) AS gone
    WHERE corpus.project_id = gone.project_id;
    RETURN NULL;
END
$$;
CREATE OR REPLACE TRIGGER chunk_removed AFTER DELETE ON chunk
    REFERENCING OLD TABLE AS removed FOR EACH STATEMENT EXECUTE FUNCTION wall.count_removed_chunks();

-- The projects to index again with another model; returns only their ids.
CREATE OR REPLACE FUNCTION wall.projects_without_index_of(model text) RETURNS SETOF uuid
    LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog
AS $$
    SELECT project_id FROM public.search_index AS i WHERE status IN ('active', 'building')
        AND NOT EXISTS (SELECT FROM public.project AS p WHERE p.id = i.project_id AND p.deleted_at IS NOT NULL)
    GROUP BY project_id HAVING NOT bool_or(i.model = projects_without_index_of.model)
$$;

GRANT EXECUTE ON FUNCTION wall.projects_without_index_of TO :runtime_role;
