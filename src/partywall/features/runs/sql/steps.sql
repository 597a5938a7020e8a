-- A step of a run, in one statement each before and after it. Both hold the membership and the job's lease, so that
-- neither a removed member nor a worker that has lost the job writes anything.

-- Adds usage to the run and to the project's month, and returns the run's usage so far.
CREATE OR REPLACE FUNCTION wall.count_usage(
    opened uuid, of_run uuid, in_month date, progress boolean,
    model integer, tool integer, tokens_in bigint, tokens_out bigint, took double precision, price numeric
) RETURNS jsonb
    LANGUAGE plpgsql SET search_path = pg_catalog
AS $$
#variable_conflict use_column
DECLARE
    run_usage record;
BEGIN
    INSERT INTO public.agent_usage AS used (project_id, month, tokens, tool_calls, seconds, cost)
    VALUES (opened, in_month, tokens_in + tokens_out, tool, took, coalesce(price, 0))
    ON CONFLICT (project_id, month) DO UPDATE SET
        tokens = used.tokens + excluded.tokens, tool_calls = used.tool_calls + excluded.tool_calls,
        seconds = used.seconds + excluded.seconds, cost = used.cost + excluded.cost;
    UPDATE public.run AS r SET
        model_calls = r.model_calls + model, tool_calls = r.tool_calls + tool,
        input_tokens = r.input_tokens + tokens_in, output_tokens = r.output_tokens + tokens_out,
        seconds = r.seconds + took, cost = r.cost + coalesce(price, 0), priced = r.priced AND price IS NOT NULL,
        attempts = CASE WHEN progress THEN 0 ELSE r.attempts END,
        failing_at = CASE WHEN progress THEN NULL ELSE r.failing_at END, state = r.state + 1
    WHERE r.project_id = opened AND r.id = of_run
    RETURNING r.model_calls, r.tool_calls, r.input_tokens, r.output_tokens, r.cost, r.priced INTO run_usage;
    RETURN jsonb_build_object(
        'model_calls', run_usage.model_calls, 'tool_calls', run_usage.tool_calls,
        'input_tokens', run_usage.input_tokens, 'output_tokens', run_usage.output_tokens,
        'cost', CASE WHEN run_usage.priced THEN trim_scale(run_usage.cost)::text END
    );
END
$$;

-- Journals that a step begins. Returns the caller's role, whether the worker still has the job's lease, and how many
-- events were appended. Without one of the allowed roles and the lease nothing is written.
CREATE OR REPLACE FUNCTION wall.begin_step(
    acting text, opened uuid, allowed text[], leased bigint, worker uuid, of_run uuid, of_turn integer, named text,
    numbered integer, events jsonb,
    OUT role text, OUT owns_lease boolean, OUT appended bigint
) RETURNS SETOF record
    LANGUAGE plpgsql SET search_path = pg_catalog
AS $$
#variable_conflict use_column
DECLARE
    run_usage record;
BEGIN
    role := wall.open_shared_scope(acting, opened);
    owns_lease := false;
    IF role IS NULL OR NOT role = ANY (allowed) THEN
        RETURN NEXT;
        RETURN;
    END IF;
    PERFORM FROM public.job AS job WHERE job.id = leased AND job.lease = worker FOR SHARE;
    IF NOT FOUND THEN
        RETURN NEXT;
        RETURN;
    END IF;
    owns_lease := true;
    INSERT INTO public.run_step AS step (project_id, run_id, turn, name, number)
    VALUES (opened, of_run, of_turn, named, numbered)
    ON CONFLICT (project_id, run_id, turn, name, number) DO UPDATE SET attempts = step.attempts + 1
    RETURNING step.attempts INTO run_usage;
    -- A repetition adds no event. Without an event the row need not be flushed before the call; the result's commit
    -- does that.
    IF run_usage.attempts = 1 AND events IS NOT NULL THEN
        appended := wall.append_events(opened, acting, events);
    ELSE
        PERFORM set_config('synchronous_commit', 'off', true);
    END IF;
    RETURN NEXT;
END
$$;

-- Journals a step's result, and counts its usage. Returns the same as `begin_step`.
CREATE OR REPLACE FUNCTION wall.finish_step(
    acting text, opened uuid, allowed text[], leased bigint, worker uuid, of_run uuid, of_turn integer, named text,
    numbered integer, answer json, events jsonb, in_month date, model integer, tool integer, tokens_in bigint,
    tokens_out bigint, took double precision, price numeric,
    OUT role text, OUT owns_lease boolean, OUT appended bigint
) RETURNS SETOF record
    LANGUAGE plpgsql SET search_path = pg_catalog
AS $$
#variable_conflict use_column
DECLARE
    run_usage jsonb;
BEGIN
    role := wall.open_shared_scope(acting, opened);
    owns_lease := false;
    IF role IS NULL OR NOT role = ANY (allowed) THEN
        RETURN NEXT;
        RETURN;
    END IF;
    PERFORM FROM public.job AS job WHERE job.id = leased AND job.lease = worker FOR SHARE;
    IF NOT FOUND THEN
        RETURN NEXT;
        RETURN;
    END IF;
    owns_lease := true;
    UPDATE public.run_step AS step SET result = answer, finished_at = clock_timestamp()
    WHERE step.project_id = opened AND step.run_id = of_run AND step.turn = of_turn
        AND step.name = named AND step.number = numbered;
    run_usage := wall.count_usage(
        opened, of_run, in_month, true, model, tool, tokens_in, tokens_out, took, price
    );
    -- After a model's answer comes the usage so far.
    IF model > 0 THEN
        events := events || jsonb_build_object(
            'type', 'run.usage', 'subject_kind', 'run', 'subject_id', of_run::text, 'data', run_usage
        );
    END IF;
    appended := wall.append_events(opened, acting, events);
    RETURN NEXT;
END
$$;

GRANT EXECUTE ON FUNCTION wall.count_usage, wall.begin_step, wall.finish_step TO :runtime_role;
