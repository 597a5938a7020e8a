-- As in 0010.
CREATE OR REPLACE FUNCTION wall.prune_events(before timestamptz, most integer) RETURNS bigint LANGUAGE plpgsql
    SECURITY DEFINER SET search_path = pg_catalog
AS $$
DECLARE
    chosen uuid;
    upto bigint;
    removed bigint;
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
    DELETE FROM public.event WHERE event.project_id = chosen AND event.id <= upto;
    GET DIAGNOSTICS removed = ROW_COUNT;
    UPDATE public.event_counter SET oldest = upto + 1
    WHERE event_counter.project_id = chosen AND event_counter.oldest <= upto;
    RETURN removed;
END
$$;

-- As in 0028. Numbers pending events of projects whose counters the caller has locked: at most `most` events of each,
-- and the rest of the last one's row. A row holds the events of one transaction, which stay together. The statement
-- begins after the locks were taken, so it sees all earlier numbers.
CREATE OR REPLACE FUNCTION wall.number_locked_events(locked uuid[], most integer)
    RETURNS TABLE (project_id uuid, last bigint, events bigint) LANGUAGE sql VOLATILE SECURITY DEFINER
    SET search_path = pg_catalog
    SET enable_seqscan = off SET enable_bitmapscan = off SET enable_hashjoin = off SET enable_mergejoin = off
AS $$
    WITH taken AS (
        DELETE FROM public.pending_event AS p WHERE p.ctid = ANY (ARRAY(
            SELECT counted.place FROM unnest(locked) AS asked (id), LATERAL (
                SELECT first.place,
                    sum(first.size) OVER (ORDER BY first.seq ROWS UNBOUNDED PRECEDING) - first.size AS before
                FROM (
                    SELECT w.ctid AS place, w.seq, jsonb_array_length(w.events) AS size
                    FROM public.pending_event AS w WHERE w.project_id = asked.id ORDER BY w.seq LIMIT most
                ) AS first
            ) AS counted WHERE counted.before < most
        )) RETURNING p.project_id, p.seq, p.actor, p.events, p.at
    ), numbered AS (
        SELECT t.project_id, t.actor, t.at, n.item,
            row_number() OVER (PARTITION BY t.project_id ORDER BY t.seq, n.number) AS number
        FROM taken AS t, LATERAL jsonb_array_elements(t.events) WITH ORDINALITY AS n (item, number)
    ), counted AS (
        UPDATE public.event_counter AS c SET last = c.last + n.events
        FROM (SELECT n.project_id, count(*) AS events FROM numbered AS n GROUP BY n.project_id) AS n
        WHERE c.project_id = n.project_id RETURNING c.project_id, c.last, n.events
    ), kept AS (
        INSERT INTO public.event (project_id, id, type, actor, subject_kind, subject_id, data, at)
        SELECT n.project_id, c.last - c.events + n.number, n.item->>'type', n.actor,
            n.item->>'subject_kind', n.item->>'subject_id', n.item->'data', n.at
        FROM numbered AS n JOIN counted AS c ON c.project_id = n.project_id
    )
    SELECT c.project_id, c.last, c.events FROM counted AS c
$$;

DROP FUNCTION wall.trim_events(bigint, bigint, integer), wall.event_bytes(text, jsonb);
ALTER TABLE event_counter DROP COLUMN bytes;
