"""agent runs, their journal, and a project's monthly budget"""

from __future__ import annotations

from partywall.core.db.ddl import grant, script

revision = "0013"
down_revision = "0012"
branch_labels = None
depends_on = None

# Answers of models and tools are stored as json, which can hold any text; jsonb refuses U+0000.
_TABLES = """
CREATE TABLE run (
    project_id uuid NOT NULL CONSTRAINT run_project_id_fkey REFERENCES project (id) ON DELETE CASCADE,
    id uuid DEFAULT uuidv7() NOT NULL,
    agent text NOT NULL,
    status text DEFAULT 'queued' NOT NULL CONSTRAINT run_status_check
        CHECK (status IN ('queued', 'running', 'waiting', 'succeeded', 'failed', 'cancelled')),
    input jsonb NOT NULL,
    output json,
    error_code text,
    error_detail text,
    pending json,
    continues uuid,
    principal text NOT NULL,
    request_id text,
    turn integer DEFAULT 1 NOT NULL,
    attempts integer DEFAULT 0 NOT NULL,
    admitted boolean DEFAULT false NOT NULL,
    state integer DEFAULT 0 NOT NULL,
    model_calls integer DEFAULT 0 NOT NULL,
    tool_calls integer DEFAULT 0 NOT NULL,
    input_tokens bigint DEFAULT 0 NOT NULL,
    output_tokens bigint DEFAULT 0 NOT NULL,
    seconds double precision DEFAULT 0 NOT NULL,
    cost numeric(20, 8) DEFAULT 0 NOT NULL,
    priced boolean DEFAULT true NOT NULL,
    cancel_requested_at timestamptz,
    created_at timestamptz DEFAULT now() NOT NULL,
    started_at timestamptz,
    finished_at timestamptz,
    CONSTRAINT run_pkey PRIMARY KEY (project_id, id),
    CONSTRAINT run_project_id_continues_fkey
        FOREIGN KEY (project_id, continues) REFERENCES run (project_id, id) ON DELETE SET NULL (continues)
);
CREATE INDEX run_created_at_idx ON run (project_id, created_at, id);
CREATE INDEX run_continues_idx ON run (project_id, continues);
CREATE INDEX run_admission_idx ON run (project_id, created_at, id) WHERE status IN ('queued', 'running');

CREATE TABLE run_turn (
    project_id uuid NOT NULL,
    run_id uuid NOT NULL,
    number integer NOT NULL,
    messages json NOT NULL,
    pending json,
    decision jsonb,
    decided_by text,
    decided_at timestamptz,
    created_at timestamptz DEFAULT now() NOT NULL,
    CONSTRAINT run_turn_pkey PRIMARY KEY (project_id, run_id, number),
    CONSTRAINT run_turn_project_id_run_id_fkey
        FOREIGN KEY (project_id, run_id) REFERENCES run (project_id, id) ON DELETE CASCADE
);

CREATE TABLE run_step (
    project_id uuid NOT NULL,
    run_id uuid NOT NULL,
    turn integer NOT NULL,
    name text NOT NULL,
    number integer NOT NULL,
    attempts integer DEFAULT 1 NOT NULL,
    effect json,
    result json,
    started_at timestamptz DEFAULT now() NOT NULL,
    finished_at timestamptz,
    CONSTRAINT run_step_pkey PRIMARY KEY (project_id, run_id, turn, name, number),
    CONSTRAINT run_step_project_id_run_id_fkey
        FOREIGN KEY (project_id, run_id) REFERENCES run (project_id, id) ON DELETE CASCADE
);

CREATE TABLE agent_budget (
    project_id uuid NOT NULL CONSTRAINT agent_budget_project_id_fkey REFERENCES project (id) ON DELETE CASCADE,
    tokens bigint,
    tool_calls bigint,
    seconds bigint,
    cost numeric(20, 8),
    revision integer DEFAULT 1 NOT NULL,
    updated_by text NOT NULL,
    updated_at timestamptz DEFAULT now() NOT NULL,
    CONSTRAINT agent_budget_pkey PRIMARY KEY (project_id)
);

CREATE TABLE agent_usage (
    project_id uuid NOT NULL CONSTRAINT agent_usage_project_id_fkey REFERENCES project (id) ON DELETE CASCADE,
    month date NOT NULL,
    tokens bigint DEFAULT 0 NOT NULL,
    tool_calls bigint DEFAULT 0 NOT NULL,
    seconds double precision DEFAULT 0 NOT NULL,
    cost numeric(20, 8) DEFAULT 0 NOT NULL,
    CONSTRAINT agent_usage_pkey PRIMARY KEY (project_id, month)
);

CREATE INDEX event_subject_id_idx ON event (project_id, subject_id, id);
"""

_NAMES = ("run", "run_turn", "run_step", "agent_budget", "agent_usage")

_WALL = """
ALTER TABLE {table} ENABLE ROW LEVEL SECURITY;
ALTER TABLE {table} FORCE ROW LEVEL SECURITY;
CREATE POLICY wall ON {table} USING (project_id = (SELECT wall.current_project()));
"""

_CHANGING = """status, output, error_code, error_detail, pending, turn, attempts, admitted, state, model_calls,
    tool_calls, input_tokens, output_tokens, seconds, cost, priced, cancel_requested_at, started_at, finished_at"""


def upgrade() -> None:
    script(_TABLES)
    for table in _NAMES:
        script(_WALL.format(table=table))
    grant(f"SELECT, INSERT, UPDATE ({_CHANGING})", "run")
    grant("SELECT, INSERT, UPDATE (decision, decided_by, decided_at)", "run_turn")
    grant("SELECT, INSERT, UPDATE (attempts, effect, result, finished_at)", "run_step")
    limits = "tokens, tool_calls, seconds, cost"
    grant(f"SELECT, INSERT, UPDATE ({limits}, revision, updated_by, updated_at)", "agent_budget")
    grant(f"SELECT, INSERT, UPDATE ({limits})", "agent_usage")


def downgrade() -> None:
    script("""
        DROP INDEX event_subject_id_idx;
        DROP TABLE agent_usage, agent_budget, run_step, run_turn, run;
    """)
