-- Events are stored as pending by the transaction that causes them, and numbered after its commit.

-- The size of an event: its text, and about two hundred bytes for the row and its index entries.
CREATE OR REPLACE FUNCTION wall.event_bytes(subject_id text, data jsonb) RETURNS bigint
    LANGUAGE sql IMMUTABLE
RETURN 200 + octet_length(subject_id) + octet_length(data::text);

-- Adds events to the bound project, and returns their number; null for any other project. Takes no lock that another
-- writer of the project would wait for. Refuses events that could not be numbered later.
CREATE OR REPLACE FUNCTION wall.append_events(project uuid, actor text, new_events jsonb) RETURNS bigint
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog
AS $$
BEGIN
    IF wall.current_project() IS DISTINCT FROM project THEN
        RETURN NULL;
    END IF;
    IF EXISTS (
        SELECT FROM jsonb_array_elements(new_events) AS n (item) WHERE n.item->>'type' IS NULL
            OR n.item->>'subject_kind' IS NULL OR n.item->>'subject_id' IS NULL OR n.item->'data' IS NULL
            OR octet_length(n.item->>'subject_id') > 1000
    ) THEN
        RAISE EXCEPTION 'an event has a type, a subject and data' USING ERRCODE = 'check_violation';
    END IF;
    INSERT INTO public.pending_event (project_id, actor, events) VALUES (project, actor, new_events);
    RETURN jsonb_array_length(new_events);
END
$$;

-- Numbers pending events of projects whose counters the caller has locked: at most `most` events of each, and the rest
-- of the last one's row. A row holds the events of one transaction, which stay together. The statement begins after the
-- locks were taken, so it sees all earlier numbers.
CREATE OR REPLACE FUNCTION wall.number_locked_events(locked uuid[], most integer)
    RETURNS TABLE (project_id uuid, last bigint, events bigint)
    LANGUAGE sql SECURITY DEFINER SET search_path = pg_catalog SET enable_seqscan = off SET enable_bitmapscan = off
    SET enable_hashjoin = off SET enable_mergejoin = off
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

-- Numbers the pending events of projects and enqueues webhook deliveries. Skips projects that another transaction is
-- numbering (`busy`). Returns what a notification needs: the role of the service, the last number and the count.
CREATE OR REPLACE FUNCTION wall.number_events(projects uuid[], most integer)
    RETURNS TABLE (project_id uuid, role text, busy boolean, last bigint, events bigint, jobs boolean)
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog
AS $$
#variable_conflict use_column
DECLARE
    locked uuid[];
BEGIN
    PERFORM set_config('idle_in_transaction_session_timeout', '1000', true);
    locked := ARRAY(
        SELECT c.project_id FROM public.event_counter AS c WHERE c.project_id = ANY (projects)
        FOR NO KEY UPDATE SKIP LOCKED
    );
    RETURN QUERY
    WITH numbered AS MATERIALIZED (
        SELECT n.project_id, n.last, n.events FROM wall.number_locked_events(locked, most) AS n
    ), told AS MATERIALIZED (
        SELECT ARRAY(SELECT wall.enqueue_deliveries(ARRAY(SELECT n.project_id FROM numbered AS n))) AS asked
    )
    SELECT c.project_id, wall.role_of('service:' || c.project_id, c.project_id),
        c.project_id <> ALL (locked), n.last, coalesce(n.events, 0), c.project_id = ANY (told.asked)
    FROM told CROSS JOIN public.event_counter AS c LEFT JOIN numbered AS n ON n.project_id = c.project_id
    WHERE c.project_id = ANY (projects);
END
$$;

-- Numbers the pending events of one project, waiting for whoever is doing it, and returns its last number. For readers
-- that must see all events so far.
CREATE OR REPLACE FUNCTION wall.catch_up_events(
    project uuid, most integer,
    OUT last bigint, OUT events bigint, OUT jobs boolean
)
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog
AS $$
BEGIN
    events := 0;
    jobs := false;
    IF EXISTS (SELECT FROM public.pending_event AS p WHERE p.project_id = project) THEN
        PERFORM FROM public.event_counter AS c WHERE c.project_id = project FOR NO KEY UPDATE;
        SELECT coalesce(sum(n.events), 0) INTO events FROM wall.number_locked_events(ARRAY[project], most) AS n;
        jobs := EXISTS (SELECT FROM wall.enqueue_deliveries(ARRAY[project]));
    END IF;
    SELECT c.last INTO last FROM public.event_counter AS c WHERE c.project_id = project;
END
$$;

-- The first projects after `after`, ordered by id, with pending events.
CREATE OR REPLACE FUNCTION wall.projects_with_pending_events(after uuid, most integer) RETURNS SETOF uuid
    LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog SET enable_seqscan = off SET enable_bitmapscan =
    off
AS $$
    WITH RECURSIVE found (id) AS (
        (SELECT p.project_id FROM public.pending_event AS p WHERE p.project_id > after ORDER BY p.project_id LIMIT 1)
        UNION ALL
        SELECT (
            SELECT p.project_id FROM public.pending_event AS p WHERE p.project_id > found.id
            ORDER BY p.project_id LIMIT 1
        ) FROM found WHERE found.id IS NOT NULL
    )
    SELECT found.id FROM found WHERE found.id IS NOT NULL LIMIT most
$$;

GRANT EXECUTE ON FUNCTION wall.append_events, wall.number_events, wall.catch_up_events,
    wall.projects_with_pending_events TO :runtime_role;
