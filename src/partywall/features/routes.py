"""The routes of all slices, and the set of routes that need no credential."""

from __future__ import annotations

from typing import Final

from partywall.core.http.openapi import Tag
from partywall.core.http.routes import Routes
from partywall.features.accounts.routes import routes as accounts
from partywall.features.agents.routes import routes as agents
from partywall.features.api_keys.routes import routes as api_keys
from partywall.features.budgets.routes import routes as budgets
from partywall.features.documents.routes import routes as documents
from partywall.features.live.routes import routes as live
from partywall.features.mcp.routes import routes as mcp
from partywall.features.projects.routes import routes as projects
from partywall.features.quotas.routes import routes as quotas
from partywall.features.runs.routes import routes as runs
from partywall.features.search.routes import routes as search
from partywall.features.webhooks.routes import routes as webhooks

ROUTES: Final[tuple[Routes, ...]] = (
    accounts,
    projects,
    quotas,
    api_keys,
    live,
    webhooks,
    documents,
    search,
    agents,
    runs,
    budgets,
    mcp,
)

TAGS: Final[tuple[Tag, ...]] = (
    Tag("accounts", "Registration, tokens, sessions and the caller's own account."),
    Tag("projects", "Projects that the caller is a member of."),
    Tag("members", "A project's members, their roles, and invitations."),
    Tag("quotas", "Limits and current usage of projects and accounts."),
    Tag("api keys", "A project's credentials for programs."),
    Tag("documents", "Documents of a project, their content and versions."),
    Tag("search", "Keyword and semantic search in a project's documents."),
    Tag("events", "A live stream of a project's events."),
    Tag("webhooks", "URLs that receive a project's events, and the deliveries."),
    Tag("agents", "Agents, their runs and the project's budget."),
    Tag("mcp", "The project as a Model Context Protocol server."),
    Tag("operation", "Health of the process."),
)

# Names of endpoint functions.
PUBLIC: Final = frozenset(
    {
        "healthz",
        "readyz",
        "register_account",
        "issue_token",
        "revoke_token",
        "verify_email",
        "resend_verification",
        "get_jwks",
        "stream_events",
        "stream_run_events",
    }
)
