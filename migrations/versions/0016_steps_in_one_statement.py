"""a run's step is begun, and stored, in one round trip"""

from __future__ import annotations

from alembic import op

from partywall.core.db.ddl import grant, script

revision = "0016"
down_revision = "0015"
branch_labels = None
depends_on = None

# Both open the scope, check the right and the lease, and only then write; `last` is the number of their event. Without
# the right they return only the role, without the lease `ours` is false. They run as the caller, subject to the
# policies: each statement of a function sees the scope that an earlier one has bound.
_HEAD = """
#variable_conflict use_column
DECLARE
    run_usage record;
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
    ours := true;"""

_BEGIN = """
CREATE FUNCTION wall.begin_step(
    acting text, entered uuid, allowed text[], leased bigint, worker uuid,
    of_run uuid, of_turn integer, named text, numbered integer, news jsonb,
    OUT held text, OUT ours boolean, OUT last bigint
) RETURNS SETOF record LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog AS $$
{head}
    INSERT INTO public.run_step AS step (project_id, run_id, turn, name, number)
    VALUES (entered, of_run, of_turn, named, numbered)
    ON CONFLICT (project_id, run_id, turn, name, number) DO UPDATE SET attempts = step.attempts + 1
    RETURNING step.attempts INTO run_usage;
    -- A repetition adds no event. Without an event the row need not be flushed before the call; the result's commit
    -- does that.
    IF run_usage.attempts = 1 AND news IS NOT NULL THEN
        last := wall.append_events(entered, acting, news);
    ELSE
        PERFORM set_config('synchronous_commit', 'off', true);
    END IF;
    RETURN NEXT;
END
$$;
"""

_FINISH = """
CREATE FUNCTION wall.finish_step(
    acting text, entered uuid, allowed text[], leased bigint, worker uuid,
    of_run uuid, of_turn integer, named text, numbered integer, answer json, news jsonb, in_month date,
    model integer, tool integer, tokens_in bigint, tokens_out bigint, took double precision, price numeric,
    OUT held text, OUT ours boolean, OUT last bigint
) RETURNS SETOF record LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog AS $${head}
    UPDATE public.run_step AS step SET result = answer, finished_at = clock_timestamp()
    WHERE step.project_id = entered AND step.run_id = of_run AND step.turn = of_turn
        AND step.name = named AND step.number = numbered;
    INSERT INTO public.agent_usage AS used (project_id, month, tokens, tool_calls, seconds, cost)
    VALUES (entered, in_month, tokens_in + tokens_out, tool, took, coalesce(price, 0))
    ON CONFLICT (project_id, month) DO UPDATE SET
        tokens = used.tokens + excluded.tokens, tool_calls = used.tool_calls + excluded.tool_calls,
        seconds = used.seconds + excluded.seconds, cost = used.cost + excluded.cost;
    UPDATE public.run AS r SET
        model_calls = r.model_calls + model, tool_calls = r.tool_calls + tool,
        input_tokens = r.input_tokens + tokens_in, output_tokens = r.output_tokens + tokens_out,
        seconds = r.seconds + took, cost = r.cost + coalesce(price, 0), priced = r.priced AND price IS NOT NULL,
        attempts = 0, state = r.state + 1
    WHERE r.project_id = entered AND r.id = of_run
    RETURNING r.model_calls, r.tool_calls, r.input_tokens, r.output_tokens, r.cost, r.priced INTO run_usage;
    -- After a model's answer comes the usage so far.
    IF model > 0 THEN
        news := news || jsonb_build_object(
            'type', 'run.usage', 'subject_kind', 'run', 'subject_id', of_run::text, 'data', jsonb_build_object(
                'model_calls', run_usage.model_calls, 'tool_calls', run_usage.tool_calls,
                'input_tokens', run_usage.input_tokens, 'output_tokens', run_usage.output_tokens,
                'cost', CASE WHEN run_usage.priced THEN trim_scale(run_usage.cost)::text END
            )
        );
    END IF;
    last := wall.append_events(entered, acting, news);
    RETURN NEXT;
END
$$;
"""

_SIGNATURES = (
    "wall.begin_step(text, uuid, text[], bigint, uuid, uuid, integer, text, integer, jsonb),"
    " wall.finish_step(text, uuid, text[], bigint, uuid, uuid, integer, text, integer, json, jsonb, date,"
    " integer, integer, bigint, bigint, double precision, numeric)"
)


def upgrade() -> None:
    script(_BEGIN.format(head=_HEAD))
    script(_FINISH.format(head=_HEAD))
    op.execute(f"REVOKE EXECUTE ON FUNCTION {_SIGNATURES} FROM PUBLIC")
    grant("EXECUTE", f"FUNCTION {_SIGNATURES}")


def downgrade() -> None:
    script(f"DROP FUNCTION {_SIGNATURES};")
