"""the schema: tables, functions, policies, triggers and grants"""

from __future__ import annotations

from partywall.core.db.sql_files import load_sql, run_sql

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

# A file comes after the files whose tables, functions and types its own statements need.
_FILES = (
    "core/db/sql/schema.sql",
    "core/db/sql/scope.sql",
    "core/db/sql/locks.sql",
    "features/accounts/sql/tables.sql",
    "features/accounts/sql/registration.sql",
    "features/accounts/sql/account_tokens.sql",
    "features/accounts/sql/sessions.sql",
    "features/identities/sql/tables.sql",
    "features/identities/sql/identities.sql",
    "features/projects/sql/tables.sql",
    "features/projects/sql/members.sql",
    "features/projects/sql/ownership.sql",
    "features/projects/sql/projects.sql",
    "core/audit/sql/tables.sql",
    "core/audit/sql/audit.sql",
    "core/events/sql/tables.sql",
    "core/events/sql/numbering.sql",
    "core/events/sql/retention.sql",
    "core/idempotency/sql/tables.sql",
    "core/idempotency/sql/idempotency_keys.sql",
    "core/jobs/sql/tables.sql",
    "core/jobs/sql/enqueueing.sql",
    "core/jobs/sql/claiming.sql",
    "core/jobs/sql/settling.sql",
    "core/security/sql/tables.sql",
    "features/quotas/sql/tables.sql",
    "features/quotas/sql/quotas.sql",
    "features/quotas/sql/usage.sql",
    "features/api_keys/sql/tables.sql",
    "features/api_keys/sql/api_keys.sql",
    "features/webhooks/sql/tables.sql",
    "features/webhooks/sql/webhooks.sql",
    "features/documents/sql/tables.sql",
    "features/documents/sql/usage.sql",
    "features/documents/sql/versions.sql",
    "features/documents/sql/deletion.sql",
    "features/documents/sql/indexing.sql",
    "features/documents/sql/filters.sql",
    "features/search/sql/tables.sql",
    "features/search/sql/statistics.sql",
    "features/search/sql/postings.sql",
    "features/search/sql/vector_changes.sql",
    "features/budgets/sql/tables.sql",
    "features/runs/sql/tables.sql",
    "features/runs/sql/runs.sql",
    "features/runs/sql/steps.sql",
)

_DROP = """
DROP SCHEMA wall CASCADE;
DROP TABLE run_step, run_turn, run, agent_usage, agent_budget;
DROP TABLE vector_change, embedding, posting, chunk, search_index, search_statistic;
DROP TABLE indexing_attempt, archive_entry, document_value, document_deletion;
DROP TABLE document_text, document_version, document;
DROP TABLE webhook_delivery, webhook_progress, webhook;
DROP TABLE api_key;
DROP TABLE project_usage, project_quota, account_quota, quota_default;
DROP TABLE signing_key, job_schedule, job_request, job, idempotency_key, event, pending_event, event_counter;
DROP TABLE project_audit, account_audit;
DROP TABLE invitation, project_member, project;
DROP TABLE identity, account_token, registration, known_network, login_failure, refresh_token, session, account;
REVOKE SELECT ON alembic_version FROM :runtime_role;
REVOKE USAGE ON SCHEMA public FROM :runtime_role;
"""


def upgrade() -> None:
    load_sql(revision, *_FILES)


def downgrade() -> None:
    run_sql(_DROP)
