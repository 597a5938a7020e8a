-- Events are removed from the oldest on, without gaps.

-- Removes events older than `before` from one project, at most `most`, and returns their number. One project per call,
-- so that its counter is locked for one short transaction only.
CREATE OR REPLACE FUNCTION wall.prune_events(before timestamptz, most integer) RETURNS bigint
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog
AS $$
DECLARE
    chosen uuid;
    upto bigint;
    removed bigint;
    freed bigint;
BEGIN
    SELECT event.project_id INTO chosen FROM public.event WHERE event.at < before LIMIT 1;
    IF chosen IS NULL THEN
        RETURN 0;
    END IF;
    PERFORM FROM public.event_counter AS c WHERE c.project_id = chosen FOR UPDATE;
    SELECT max(expired.id) INTO upto FROM (
        SELECT event.id FROM public.event
        WHERE event.project_id = chosen AND event.at < before ORDER BY event.id LIMIT most
    ) AS expired;
    WITH gone AS (
        DELETE FROM public.event WHERE event.project_id = chosen AND event.id <= upto
        RETURNING wall.event_bytes(event.subject_id, event.data) AS bytes
    )
    SELECT count(*), coalesce(sum(gone.bytes), 0) INTO removed, freed FROM gone;
    UPDATE public.event_counter AS c SET oldest = greatest(c.oldest, upto + 1), bytes = greatest(0, c.bytes - freed)
    WHERE c.project_id = chosen;
    RETURN removed;
END
$$;

-- Removes the oldest events, at most `most`, of one project that has too many events or bytes of them, with their
-- deliveries, and returns their number; 0 if no project has too many.
CREATE OR REPLACE FUNCTION wall.trim_events(most_events bigint, most_bytes bigint, most integer) RETURNS bigint
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog
AS $$
DECLARE
    chosen record;
    upto bigint;
    removed bigint;
    freed bigint;
BEGIN
    SELECT c.project_id, c.last, c.last - c.oldest + 1 AS events, c.bytes INTO chosen FROM public.event_counter AS c
    WHERE c.last - c.oldest + 1 > most_events OR c.bytes > most_bytes LIMIT 1 FOR UPDATE;
    IF NOT FOUND THEN
        RETURN 0;
    END IF;
    SELECT max(counted.id) INTO upto FROM (
        SELECT first.id, row_number() OVER before AS number, sum(first.bytes) OVER before - first.bytes AS bytes
        FROM (
            SELECT e.id, wall.event_bytes(e.subject_id, e.data) AS bytes FROM public.event AS e
            WHERE e.project_id = chosen.project_id ORDER BY e.id LIMIT most
        ) AS first
        WINDOW before AS (ORDER BY first.id ROWS UNBOUNDED PRECEDING)
    ) AS counted
    WHERE chosen.events - counted.number >= most_events OR chosen.bytes - counted.bytes > most_bytes;
    upto := coalesce(upto, chosen.last);  -- there is none, whatever was counted
    WITH gone AS (
        DELETE FROM public.event AS e WHERE e.project_id = chosen.project_id AND e.id <= upto
        RETURNING wall.event_bytes(e.subject_id, e.data) AS bytes
    )
    SELECT count(*), coalesce(sum(gone.bytes), 0) INTO removed, freed FROM gone;
    DELETE FROM public.webhook_delivery AS d USING public.webhook AS w
    WHERE w.project_id = chosen.project_id AND d.project_id = w.project_id AND d.webhook_id = w.id
        AND d.event_id <= upto;
    UPDATE public.event_counter AS c SET oldest = greatest(c.oldest, upto + 1),
        bytes = CASE upto WHEN c.last THEN 0 ELSE greatest(0, c.bytes - freed) END
    WHERE c.project_id = chosen.project_id;
    RETURN removed;
END
$$;

GRANT EXECUTE ON FUNCTION wall.prune_events, wall.trim_events TO :runtime_role;
