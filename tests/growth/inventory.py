"""Every pattern and parser in the source that reads external text, and how to feed it.

The lint `patterns` finds those that are missing here, and `test_growth` feeds them. A place is a file and the name that
the pattern is bound to, or the function that calls the parser.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from tests.growth.agents import AGENTS
from tests.growth.documents import DOCUMENTS
from tests.growth.edges import EDGES
from tests.growth.markdown import MARKDOWN
from tests.growth.markup import MARKUP
from tests.growth.reader import Reader

# Read uploaded files in a text process, which limits time and memory; `bench/extraction.py` feeds them hostile files.
_IN_TEXT_PROCESSES: Final = (
    "charsets.py:_DECLARED",
    "charsets.py:_EURO",
    "archive.py:_SEPARATOR",
    "archive.py:_DRIVE",
    "archive.py:_UNSEEN",
    "docx.py:_HEADING",
    "json_text.py:read_json",
    "kinds.py:_has_stream",
    "layout.py:_BLANKS",
    "layout.py:_UNWANTED",
    "layout.py:_BY_PROGRAM",
    "layout.py:clean",
    "legacy.py:_ESCAPED",
    "legacy.py:_IMAGE",
    "legacy.py:_PARAGRAPH",
    "legacy.py:_PASSWORD",
    "legacy.py:_read",
    "markup.py:_TAG",
    "markup.py:_ENCODING",
    "markup.py:read_notebook",
    "package.py:resolved",
    "process.py:_VISIBLE",
    "rtf_rows.py:_WORD",
    "sheets.py:_BLANKS",
    "pdf_headers.py:_NUMBER",
    "pdf.py:_LAM_AFTER_ALEF",
    "pdf.py:_LINE",
    "pdf.py:_HYPHEN",
    "plain_text.py:_UNSTORABLE",
    "process.py:_LANGUAGE",
)

READERS: Final[tuple[Reader, ...]] = (*DOCUMENTS, *MARKDOWN, *MARKUP, *AGENTS, *EDGES)

# Not fed, and why: most read only what this program or its operator has written.
UNFED: Final[Mapping[str, str]] = {
    **{f"features/documents/readers/{each}": "in a text process" for each in _IN_TEXT_PROCESSES},
    "features/documents/content.py:_CHARSET": "a bounded pattern that matches the whole of a name or nothing",
    "features/documents/readers/process.py:_asked": "what our own worker asks",
    "features/documents/readers/process.py:read_answer": "the answer of our own text process",
    "adapters/oidc/id_token.py:Profile": "a class of characters, after the length",
    "adapters/oidc/metadata.py:Url": "a class of characters, after the length",
    "adapters/oidc/metadata.py:read_metadata": "addresses of at most 2,000 characters",
    "features/identities/schemas.py:LoginStart": "43 characters of a class",
    "features/identities/schemas.py:Redemption": "at most 128 characters of a class",
    "settings/identities.py:ProviderName": "the operator's own, and at most 32 characters of a class",
    "settings/identities.py:ProviderSettings": "the operator's own, and at most 100 characters of a class",
    "core/blobs.py:KEY": "a key that the store has given out, kept in the database; a bounded pattern",
    "core/blobs.py:PROJECT": "the names of the store's own directories; a bounded pattern",
    "adapters/blobs/s3_options.py:S3Options._in_bucket": "an operator's setting",
    "adapters/blobs/s3_requests.py:Signer.url": "an operator's setting",
    "adapters/blobs/s3_unfinished.py:unfinished_uploads": "a time in an answer of the operator's store",
    "settings/blobs.py:_BUCKET": "an operator's setting",
    "settings/blobs.py:_PREFIX": "an operator's setting",
    "settings/blobs.py:BlobSettings._may_be_plain": "an operator's setting",
    "adapters/blobs/s3_errors.py:_CODE": "a bounded pattern, in an error of the operator's store",
    "adapters/blobs/s3_unfinished.py:_FIELD": "the operator's store; possessive, so that each character is read once",
    "features/search/results.py:section_of": "what indexing wrote: at most 32 headings of a passage",
    "features/documents/text_diff.py:compare": "our own header before two texts, in a text process",
    "adapters/embedded/cluster.py:_postmaster_lines": "PostgreSQL's own file of its process",
    "adapters/embedded/cluster.py:memory_is_held": "the kernel's own list",
    "adapters/embedded/cluster.py:error_line": "PostgreSQL's own log of its start",
    "adapters/embedded/launch.py:main": "what `partywall serve` gives its children",
    "adapters/embedded/endpoints.py:running_endpoints": "a file of `partywall serve`",
    "adapters/embeddings/model_files.py:_download": "what pip says to the operator's command",
    "adapters/embeddings/minilm.py:MiniLmEmbedder._embed": "bounded chunks; its files are no part of the tests",
    "adapters/embeddings/unigram.py:normalised": "bounded chunks and queries",
    "adapters/embeddings/mapped_tensors.py:_places": "the header of a file that the operator installs",
    "supervisor/options.py:ServeOptions.from_json": "what `partywall serve` wrote",
    "client/accounts.py:normalize": "the address that the operator types",
    "client/evaluation/collection.py:_judgements": "the operator's own file, a line at a time",
    "client/evaluation/collection.py:_texts": "the operator's own file, a line at a time",
    "client/routes.py:_is_loopback": "the address that the operator types",
    "client/routes.py:_line": "a message of the library's, of an address that the operator has set",
    "client/routes.py:advice": "the address that the operator types",
    "client/routes.py:open_client": "the address that the operator types",
    "client/search.py:search": "what the operator types",
    "commands/filters.py:given_filter": "what the operator types",
    "client/store.py:Store.session": "the address that the operator types",
    "commands/cache.py:_is_valid": "a setting",
    "commands/database.py:_TARGET": "what the operator types",
    "commands/events.py:_TYPE": "what the operator types",
    "commands/document_import.py:_LANGUAGE": "what the operator types",
    "core/db/driver_errors.py:first_line": "an error of the operator's database",
    "commands/quotas.py:_limit": "the limit that the operator types",
    "commands/feature_process.py:checked_migrations": "what our own process writes",
    "commands/serve.py:_is_loopback": "the address that the operator types",
    "commands/postgres.py:_reason": "an error of the operator's database",
    "core/preconditions.py:_OURS": "one character after another, in headers that EDGES feeds by `_conditions`",
    "core/http/fast_path/plan.py:_pattern": "the paths of our own routes, at start",
    "core/mail/mime.py:_encoding": "a mail that our templates have rendered",
    "extensions/name_checks.py:_FEATURE": "a name in an installed package",
    "extensions/new_package.py:_PLACE": "a file of our own",
    "extensions/name_checks.py:_PART": "a name in an installed package",
    "extensions/taken_names.py:_created": "a file of our own",
    "features/agents/definition.py:NAME": "the names of the agents in the code",
    "features/documents/filters/values.py:_number_or_instant": "one number as Python writes it",
    "features/documents/schemas.py:_longer": "one float as Python writes it",
    "features/mcp/dependencies.py:_own_hosts": "the operator's own address",
    "core/http/sockets.py:require_socket_principal": "the operator's own address",
    "settings/agents.py:ServerName": "a setting",
    "settings/dotenv.py:_line": "the operator's own file",
    "settings/files.py:FileSettings": "a setting",
    "settings/http.py:_is_origin": "a setting",
    "settings/mail.py:MailSettings.is_loopback": "a setting",
    "settings/mail.py:_only_address": "a setting",
    "settings/vectors.py:_PREFIX": "an operator's setting",
    "settings/names.py:_is_json_object": "a setting",
    "settings/values.py:_LABEL": "a setting",
    "settings/values.py:_is_host": "a setting",
    "settings/values.py:require_web_host": "a setting",
}

PLACES: Final[frozenset[str]] = frozenset(UNFED) | {place for reader in READERS for place in reader.places}
