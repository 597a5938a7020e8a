-- The size of an event: its text, and about two hundred bytes for the row and its index entries.
CREATE FUNCTION wall.event_bytes(subject_id text, data jsonb) RETURNS bigint LANGUAGE sql IMMUTABLE
RETURN 200 + octet_length(subject_id) + octet_length(data::text);

-- The bytes of the stored, numbered events; their number is `last - oldest + 1`.
ALTER TABLE event_counter ADD COLUMN bytes bigint DEFAULT 0 NOT NULL;
UPDATE event_counter AS c SET bytes = kept.bytes FROM (
    SELECT e.project_id, sum(wall.event_bytes(e.subject_id, e.data))::bigint AS bytes FROM event AS e
    GROUP BY e.project_id
) AS kept WHERE c.project_id = kept.project_id;

-- Numbers pending events of projects whose counters the caller has locked: at most `most` events of each, and the rest
-- of the last one's row. A row holds the events of one transaction, which stay together. The statement begins after the
-- locks were taken, so it sees all earlier numbers.
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
            wall.event_bytes(n.item->>'subject_id', n.item->'data') AS bytes,
            row_number() OVER (PARTITION BY t.project_id ORDER BY t.seq, n.number) AS number
        FROM taken AS t, LATERAL jsonb_array_elements(t.events) WITH ORDINALITY AS n (item, number)
    ), counted AS (
        UPDATE public.event_counter AS c SET last = c.last + n.events, bytes = c.bytes + n.bytes
        FROM (
            SELECT n.project_id, count(*) AS events, sum(n.bytes)::bigint AS bytes FROM numbered AS n
            GROUP BY n.project_id
        ) AS n
        WHERE c.project_id = n.project_id RETURNING c.project_id, c.last, n.events
    ), kept AS (
        INSERT INTO public.event (project_id, id, type, actor, subject_kind, subject_id, data, at)
        SELECT n.project_id, c.last - c.events + n.number, n.item->>'type', n.actor,
            n.item->>'subject_kind', n.item->>'subject_id', n.item->'data', n.at
        FROM numbered AS n JOIN counted AS c ON c.project_id = n.project_id
    )
    SELECT c.project_id, c.last, c.events FROM counted AS c
$$;

CREATE OR REPLACE FUNCTION wall.prune_events(before timestamptz, most integer) RETURNS bigint LANGUAGE plpgsql
    SECURITY DEFINER SET search_path = pg_catalog
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
CREATE FUNCTION wall.trim_events(most_events bigint, most_bytes bigint, most integer) RETURNS bigint LANGUAGE plpgsql
    SECURITY DEFINER SET search_path = pg_catalog
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
