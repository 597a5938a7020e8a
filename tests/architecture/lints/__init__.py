from __future__ import annotations

from tests.architecture.lints import (
    cache_keys,
    foreign_keys,
    frameworks,
    purity,
    queries,
    scope,
    signatures,
    size,
    slices,
    sql_text,
    state,
    transactions,
)
from tests.architecture.lints.source import Lint

LINTS: dict[str, Lint] = {
    "adapter-import": frameworks.adapter_import,
    "any": signatures.any_in_signature,
    "cache-key": cache_keys.composed_key,
    "clock": purity.clock,
    "cross-slice-relationship": foreign_keys.relationship_across_slices,
    "environ": purity.environ,
    "file-size": size.file_size,
    "foreign-key-order": foreign_keys.foreign_key_order,
    "function-size": size.function_size,
    "http-exception": frameworks.http_exception,
    "ids": purity.ids,
    "import-in-function": slices.import_in_function,
    "module-state": state.module_state,
    "print": purity.prints,
    "project-filter": queries.project_filter,
    "project-scope": scope.repository_takes_scope,
    "slice-layer": slices.slice_layer,
    "settings-import": frameworks.settings_import,
    "slice-private": slices.slice_private,
    "sql-text": sql_text.composed_sql,
    "transaction": transactions.commit_or_rollback,
    "untracked-task": state.untracked_task,
    "web-framework": frameworks.web_framework,
}
