"""a run whose model is unavailable waits without a slot, and one job at a time works on a run"""

from __future__ import annotations

from partywall.core.db.ddl import grant, script

revision = "0025"
down_revision = "0024"
branch_labels = None
depends_on = None

# `retry_at` is when a postponed run may be admitted again, `failing_at` the first failure since its last finished step,
# `job_id` the job that works on it.
_COLUMNS = "retry_at, failing_at, job_id"
_ADD = """
ALTER TABLE run ADD COLUMN retry_at timestamptz, ADD COLUMN failing_at timestamptz, ADD COLUMN job_id bigint;
"""

_COUNT = """
CREATE OR REPLACE FUNCTION wall.count_usage(
    entered uuid, of_run uuid, in_month date, progress boolean,
    model integer, tool integer, tokens_in bigint, tokens_out bigint, took double precision, price numeric
) RETURNS jsonb LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog AS $$
#variable_conflict use_column
DECLARE
    run_usage record;
BEGIN
    INSERT INTO public.agent_usage AS used (project_id, month, tokens, tool_calls, seconds, cost)
    VALUES (entered, in_month, tokens_in + tokens_out, tool, took, coalesce(price, 0))
    ON CONFLICT (project_id, month) DO UPDATE SET
        tokens = used.tokens + excluded.tokens, tool_calls = used.tool_calls + excluded.tool_calls,
        seconds = used.seconds + excluded.seconds, cost = used.cost + excluded.cost;
    UPDATE public.run AS r SET
        model_calls = r.model_calls + model, tool_calls = r.tool_calls + tool,
        input_tokens = r.input_tokens + tokens_in, output_tokens = r.output_tokens + tokens_out,
        seconds = r.seconds + took, cost = r.cost + coalesce(price, 0), priced = r.priced AND price IS NOT NULL,
        attempts = CASE WHEN progress THEN 0 ELSE r.attempts END, {failing}state = r.state + 1
    WHERE r.project_id = entered AND r.id = of_run
    RETURNING r.model_calls, r.tool_calls, r.input_tokens, r.output_tokens, r.cost, r.priced INTO run_usage;
    RETURN jsonb_build_object(
                'model_calls', run_usage.model_calls, 'tool_calls', run_usage.tool_calls,
                'input_tokens', run_usage.input_tokens, 'output_tokens', run_usage.output_tokens,
                'cost', CASE WHEN run_usage.priced THEN trim_scale(run_usage.cost)::text END
            );
END
$$;
"""
_FAILING = "failing_at = CASE WHEN progress THEN NULL ELSE r.failing_at END, "

_ADMISSION = """
CREATE OR REPLACE FUNCTION wall.admit_runs(of_project uuid, each_project integer, each_account integer)
    RETURNS TABLE (project_id uuid, run_id uuid, principal text)
    LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = pg_catalog
AS $$
#variable_conflict use_column
BEGIN
    IF of_project IS DISTINCT FROM wall.current_project() THEN
        RETURN;
    END IF;
    PERFORM wall.lock_run_admission();
    RETURN QUERY
    WITH mine AS MATERIALIZED (
        SELECT mine.id FROM wall.projects_for_account_of(of_project) AS mine(id)
    ), taken AS MATERIALIZED (
        SELECT r.project_id, count(*) AS places FROM mine JOIN public.run AS r ON r.project_id = mine.id
        WHERE r.admitted GROUP BY r.project_id
    ), waiting AS (
        SELECT r.project_id, r.id, r.created_at,
            row_number() OVER (PARTITION BY r.project_id ORDER BY r.created_at, r.id)
                + coalesce(taken.places, 0) AS place
        FROM mine JOIN public.run AS r ON r.project_id = mine.id
            LEFT JOIN taken ON taken.project_id = r.project_id
        WHERE {waits}
    ), next AS (
        SELECT waiting.project_id, waiting.id FROM waiting WHERE waiting.place <= each_project
        ORDER BY waiting.place, waiting.created_at, waiting.id
        LIMIT greatest(0, each_account - (SELECT coalesce(sum(taken.places), 0) FROM taken))
    ), free AS (
        SELECT r.project_id, r.id FROM next JOIN public.run AS r ON r.project_id = next.project_id AND r.id = next.id
        WHERE r.status = 'queued' AND NOT r.admitted
        FOR UPDATE OF r SKIP LOCKED
    )
    UPDATE public.run AS admitted SET admitted = true FROM free
    WHERE admitted.project_id = free.project_id AND admitted.id = free.id
    RETURNING admitted.project_id, admitted.id, admitted.principal;
END
$$;

CREATE OR REPLACE FUNCTION wall.projects_with_waiting_runs() RETURNS SETOF uuid LANGUAGE sql STABLE SECURITY DEFINER
    SET search_path = pg_catalog
AS $$
    SELECT DISTINCT ON (wall.owner_account(waiting.project_id)) waiting.project_id
    FROM (SELECT DISTINCT r.project_id FROM public.run AS r WHERE {waits}) AS waiting
$$;
"""
_WAITS = "r.status = 'queued' AND NOT r.admitted"
_DUE = " AND (r.retry_at IS NULL OR r.retry_at <= now())"


def upgrade() -> None:
    script(_ADD)
    grant(f"UPDATE ({_COLUMNS})", "run")
    script(_COUNT.format(failing=_FAILING))
    script(_ADMISSION.format(waits=_WAITS + _DUE))


def downgrade() -> None:
    script(_ADMISSION.format(waits=_WAITS))
    script(_COUNT.format(failing=""))
    script("ALTER TABLE run DROP COLUMN retry_at, DROP COLUMN failing_at, DROP COLUMN job_id;")
