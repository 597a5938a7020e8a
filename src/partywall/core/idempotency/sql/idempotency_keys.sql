-- Stored answers: their retention, and the bytes that they take.

-- The oldest first, up to the given bytes. Returns their number; 0 when none is old enough.
CREATE OR REPLACE FUNCTION wall.prune_idempotency_keys(before timestamptz, most integer, bytes bigint) RETURNS bigint
    LANGUAGE sql SECURITY DEFINER SET search_path = pg_catalog
AS $$
    WITH removed AS (
        DELETE FROM public.idempotency_key WHERE ctid = ANY (ARRAY(
            SELECT counted.place FROM (
                SELECT chosen.place, sum(chosen.weight) OVER (ROWS UNBOUNDED PRECEDING) - chosen.weight AS sum_before
                FROM (
                    SELECT i.ctid AS place, pg_column_size(i.body) AS weight FROM public.idempotency_key AS i
                    WHERE i.created_at < least(before, now()) ORDER BY i.created_at LIMIT most FOR UPDATE SKIP LOCKED
                ) AS chosen
            ) AS counted WHERE counted.sum_before < bytes
        )) RETURNING 1
    )
    SELECT count(*) FROM removed
$$;

-- Adds the bytes of stored answers to the usage of their projects.
CREATE OR REPLACE FUNCTION wall.count_added_answers() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog
AS $$
BEGIN
    PERFORM wall.add_usage(of_project.project_id, 0, of_project.bytes) FROM (
        SELECT project_id, sum(octet_length(body))::bigint AS bytes FROM added GROUP BY project_id
    ) AS of_project;
    RETURN NULL;
END
$$;
CREATE OR REPLACE TRIGGER idempotency_key_added AFTER INSERT ON idempotency_key
    REFERENCING NEW TABLE AS added FOR EACH STATEMENT EXECUTE FUNCTION wall.count_added_answers();

-- Corrects the usage by what stored answers have grown or shrunk.
CREATE OR REPLACE FUNCTION wall.count_changed_answers() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog
AS $$
BEGIN
    PERFORM wall.add_usage(of_project.project_id, 0, of_project.bytes) FROM (
        SELECT answer.project_id, sum(answer.bytes)::bigint AS bytes FROM (
            SELECT project_id, octet_length(body) AS bytes FROM current
            UNION ALL SELECT project_id, -octet_length(body) FROM former
        ) AS answer GROUP BY answer.project_id
    ) AS of_project WHERE of_project.bytes <> 0;
    RETURN NULL;
END
$$;
CREATE OR REPLACE TRIGGER idempotency_key_changed AFTER UPDATE ON idempotency_key
    REFERENCING OLD TABLE AS former NEW TABLE AS current
    FOR EACH STATEMENT EXECUTE FUNCTION wall.count_changed_answers();

-- Subtracts the bytes of removed answers from the usage of their projects.
CREATE OR REPLACE FUNCTION wall.count_removed_answers() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog
AS $$
BEGIN
    PERFORM wall.add_usage(of_project.project_id, 0, -of_project.bytes) FROM (
        SELECT project_id, sum(octet_length(body))::bigint AS bytes FROM removed GROUP BY project_id
    ) AS of_project;
    RETURN NULL;
END
$$;
CREATE OR REPLACE TRIGGER idempotency_key_removed AFTER DELETE ON idempotency_key
    REFERENCING OLD TABLE AS removed FOR EACH STATEMENT EXECUTE FUNCTION wall.count_removed_answers();

GRANT EXECUTE ON FUNCTION wall.prune_idempotency_keys TO :runtime_role;
