"""one function counts a call's usage, whether the call finished or was interrupted"""

from __future__ import annotations

from alembic import op

from partywall.core.db.ddl import grant, script

revision = "0017"
down_revision = "0016"
branch_labels = None
depends_on = None

# A finished step is progress, so the run's attempts start again at zero. Null is an unknown price.
_ADD = """
    INSERT INTO public.agent_usage AS used (project_id, month, tokens, tool_calls, seconds, cost)
    VALUES (entered, in_month, tokens_in + tokens_out, tool, took, coalesce(price, 0))
    ON CONFLICT (project_id, month) DO UPDATE SET
        tokens = used.tokens + excluded.tokens, tool_calls = used.tool_calls + excluded.tool_calls,
        seconds = used.seconds + excluded.seconds, cost = used.cost + excluded.cost;
    UPDATE public.run AS r SET
        model_calls = r.model_calls + model, tool_calls = r.tool_calls + tool,
        input_tokens = r.input_tokens + tokens_in, output_tokens = r.output_tokens + tokens_out,
        seconds = r.seconds + took, cost = r.cost + coalesce(price, 0), priced = r.priced AND price IS NOT NULL,
        attempts = {attempts}, state = r.state + 1
    WHERE r.project_id = entered AND r.id = of_run
    RETURNING r.model_calls, r.tool_calls, r.input_tokens, r.output_tokens, r.cost, r.priced INTO run_usage;"""
_TOLD = """jsonb_build_object(
                'model_calls', run_usage.model_calls, 'tool_calls', run_usage.tool_calls,
                'input_tokens', run_usage.input_tokens, 'output_tokens', run_usage.output_tokens,
                'cost', CASE WHEN run_usage.priced THEN trim_scale(run_usage.cost)::text END
            )"""

# Adds to the run and to its project's month, and returns the run's usage so far, as data of an event.
_COUNT = """
CREATE FUNCTION wall.count_usage(
    entered uuid, of_run uuid, in_month date, progress boolean,
    model integer, tool integer, tokens_in bigint, tokens_out bigint, took double precision, price numeric
) RETURNS jsonb LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog AS $$
#variable_conflict use_column
DECLARE
    run_usage record;
BEGIN{add}
    RETURN {told};
END
$$;
"""

_FINISH = """
CREATE OR REPLACE FUNCTION wall.finish_step(
    acting text, entered uuid, allowed text[], leased bigint, worker uuid,
    of_run uuid, of_turn integer, named text, numbered integer, answer json, news jsonb, in_month date,
    model integer, tool integer, tokens_in bigint, tokens_out bigint, took double precision, price numeric,
    OUT held text, OUT ours boolean, OUT last bigint
) RETURNS SETOF record LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog AS $$
#variable_conflict use_column
DECLARE
    run_usage {kind};
BEGIN
    held := wall.open_shared_scope(acting, entered);
    ours := false;
    IF held IS NULL OR NOT held = ANY (allowed) THEN
        RETURN NEXT;
        RETURN;
    END IF;
    PERFORM FROM public.pgqueuer AS job WHERE job.id = leased AND job.queue_manager_id = worker FOR SHARE;
    IF NOT FOUND THEN
        RETURN NEXT;
        RETURN;
    END IF;
    ours := true;
    UPDATE public.run_step AS step SET result = answer, finished_at = clock_timestamp()
    WHERE step.project_id = entered AND step.run_id = of_run AND step.turn = of_turn
        AND step.name = named AND step.number = numbered;{add}
    -- After a model's answer comes the usage so far.
    IF model > 0 THEN
        news := news || jsonb_build_object(
            'type', 'run.usage', 'subject_kind', 'run', 'subject_id', of_run::text, 'data', {told}
        );
    END IF;
    last := wall.append_events(entered, acting, news);
    RETURN NEXT;
END
$$;
"""
_CALL = """
    run_usage := wall.count_usage(
        entered, of_run, in_month, true, model, tool, tokens_in, tokens_out, took, price
    );"""

_SIGNATURE = "wall.count_usage(uuid, uuid, date, boolean, integer, integer, bigint, bigint, double precision, numeric)"


def upgrade() -> None:
    add = _ADD.format(attempts="CASE WHEN progress THEN 0 ELSE r.attempts END")
    script(_COUNT.format(add=add, told=_TOLD))
    script(_FINISH.format(kind="jsonb", add=_CALL, told="run_usage"))
    op.execute(f"REVOKE EXECUTE ON FUNCTION {_SIGNATURE} FROM PUBLIC")
    grant("EXECUTE", f"FUNCTION {_SIGNATURE}")


def downgrade() -> None:
    script(_FINISH.format(kind="record", add=_ADD.format(attempts="0"), told=_TOLD))
    script(f"DROP FUNCTION {_SIGNATURE};")
