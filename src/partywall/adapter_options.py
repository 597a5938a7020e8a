"""The settings of an adapter, as the adapter takes them."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable
from contextlib import AsyncExitStack, asynccontextmanager
from typing import TYPE_CHECKING, Final

from partywall.adapters.blobs.directory import DirectoryBlobStore
from partywall.adapters.embeddings.catalogue import LocalEngine
from partywall.adapters.embeddings.openai import OpenAiOptions, with_dimension
from partywall.adapters.language_models.options import ModelOptions, ServerOptions
from partywall.adapters.mail.directory import DirectoryMailer
from partywall.core.blobs import BlobStore
from partywall.core.db.session import Sessions
from partywall.core.identity_providers import IdentityProviders, NoIdentityProviders
from partywall.core.lazy import Lazy, lazy
from partywall.core.mail.message import Mailer
from partywall.core.outgoing.destinations import Destinations
from partywall.core.outgoing.endpoints import Tls, open_endpoint_client, tls_context
from partywall.core.outgoing.guarded_transport import Outgoing
from partywall.core.outgoing.resolver import Resolver
from partywall.core.outgoing.retries import Retries
from partywall.core.security.remote_keys import KeyFetchError, RemoteKeys
from partywall.core.security.supabase import SupabaseTokens
from partywall.core.vector_server import VectorServer
from partywall.settings import (
    AgentSettings,
    BlobSettings,
    EmbeddingSettings,
    RerankSettings,
    Settings,
    SupabaseSettings,
    VectorSettings,
)
from partywall.settings.identities import IdentitySettings, ProviderSettings, discovery_url_of, preset_of

if TYPE_CHECKING:
    from collections.abc import Callable

    import httpx2

    from partywall.adapters.blobs.s3_options import S3Options
    from partywall.adapters.mail.smtp import SmtpMailer, SmtpOptions
    from partywall.adapters.oidc.key_client import KeyClient
    from partywall.adapters.oidc.oidc_provider import OidcOptions
    from partywall.adapters.oidc.providers import ConfiguredProviders, GitHubOptions, ProviderOptions
    from partywall.adapters.rerankers.endpoint import EndpointReranker
    from partywall.adapters.vectors.qdrant import Qdrant, QdrantOptions
    from partywall.core.rerankers import Reranker
    from partywall.features.identities.token_accounts import TokenAccounts

DIMENSION_RETRIES: Final = Retries(2)
VECTOR_RETRIES: Final = Retries(2, first=0.1)

# With obstore, which takes 8 MB.
_S3_OPTIONS: Final[Lazy[type[S3Options]]] = lazy("partywall.adapters.blobs.s3_options:S3Options")
_S3_STORE: Final[Lazy[Callable[[S3Options], BlobStore]]] = lazy("partywall.adapters.blobs.s3:S3BlobStore")
_REFUSAL: Final[Lazy[Callable[[S3Options], str | None]]] = lazy("partywall.adapters.blobs.s3_check:refusal_of")
# Not every deployment has them.
_SMTP_OPTIONS: Final[Lazy[type[SmtpOptions]]] = lazy("partywall.adapters.mail.smtp:SmtpOptions")
_SMTP_MAILER: Final[Lazy[type[SmtpMailer]]] = lazy("partywall.adapters.mail.smtp:SmtpMailer")
_QDRANT: Final[Lazy[type[Qdrant]]] = lazy("partywall.adapters.vectors.qdrant:Qdrant")
_QDRANT_OPTIONS: Final[Lazy[type[QdrantOptions]]] = lazy("partywall.adapters.vectors.qdrant:QdrantOptions")
_RERANKER: Final[Lazy[type[EndpointReranker]]] = lazy("partywall.adapters.rerankers.endpoint:EndpointReranker")

# With Authlib, which takes 3 MB.
_PROVIDERS: Final[Lazy[type[ConfiguredProviders]]] = lazy("partywall.adapters.oidc.providers:ConfiguredProviders")
_PROVIDER: Final[Lazy[type[ProviderOptions]]] = lazy("partywall.adapters.oidc.providers:ProviderOptions")
_GITHUB: Final[Lazy[type[GitHubOptions]]] = lazy("partywall.adapters.oidc.providers:GitHubOptions")
_KEYS: Final[Lazy[type[KeyClient]]] = lazy("partywall.adapters.oidc.key_client:KeyClient")
_ACCOUNTS: Final[Lazy[type[TokenAccounts]]] = lazy("partywall.features.identities.token_accounts:TokenAccounts")
_OIDC: Final[Lazy[type[OidcOptions]]] = lazy("partywall.adapters.oidc.oidc_provider:OidcOptions")


class MissingUrlError(Exception):
    """The setting for the URL of a service is missing."""


def embedding_engine(settings: EmbeddingSettings) -> LocalEngine | OpenAiOptions:
    if settings.engine != "openai":
        return settings.engine
    if settings.url is None or settings.model is None:
        raise MissingUrlError("EMBEDDINGS__ENGINE=openai needs EMBEDDINGS__URL and EMBEDDINGS__MODEL")
    budgets = (settings.timeout, settings.query_timeout)
    return OpenAiOptions(
        str(settings.url), settings.model, settings.dimension or 0, settings.api_key, *budgets, settings.batch_size
    )


async def require_dimension(settings: Settings) -> None:
    """Raises EmbeddingError if the endpoint has to be asked for its dimension and does not answer."""
    engine = embedding_engine(settings.embeddings)
    if isinstance(engine, OpenAiOptions) and not engine.dimension:
        async with open_endpoint_client(DIMENSION_RETRIES, tls_context(settings.outgoing.ca_file)) as client:
            await with_dimension(client, engine)


def create_reranker(settings: RerankSettings, client: httpx2.AsyncClient) -> Reranker:
    if settings.url is None:
        raise MissingUrlError("reranking needs RERANK__URL")
    return _RERANKER.load()(
        client, str(settings.url), settings.model, settings.key, settings.candidates, settings.timeout
    )


@asynccontextmanager
async def open_vector_server(settings: VectorSettings, tls: Tls) -> AsyncIterator[VectorServer | None]:
    """None if PostgreSQL finds the nearest vectors itself."""
    if settings.engine == "pgvector":
        yield None
        return
    key = None if settings.api_key is None else settings.api_key.get_secret_value()
    async with open_endpoint_client(VECTOR_RETRIES, tls()) as client:
        options = _QDRANT_OPTIONS.load()(str(settings.url), key, settings.collection_prefix, settings.timeout)
        yield _QDRANT.load().of(client, options)


@asynccontextmanager
async def open_identity_providers(settings: IdentitySettings, tls: Tls) -> AsyncIterator[IdentityProviders]:
    """They have a client of their own: what they may call is not open to the addresses that users give."""
    if not settings.providers:
        yield NoIdentityProviders()
        return
    async with _open_outgoing(settings.allowed_networks, tls, plain_http=settings.allow_http) as outgoing:
        options = [_provider_options(name, each, settings) for name, each in settings.providers.items()]
        yield _PROVIDERS.load().of(options, outgoing.transport, settings.timeout.total_seconds())


@asynccontextmanager
async def open_supabase(
    settings: SupabaseSettings, sessions: Sessions, tls: Tls
) -> AsyncIterator[SupabaseTokens | None]:
    """None if no token of Supabase is accepted."""
    if settings.issuer is None:
        yield None
        return
    async with _open_outgoing(settings.allowed_networks, tls, plain_http=settings.allow_http) as outgoing:
        keys = _KEYS.load()(
            outgoing.transport, f"{settings.issuer}/.well-known/jwks.json", settings.timeout.total_seconds()
        )
        accounts = _ACCOUNTS.load()(sessions, settings.issuer, settings.confirms_addresses)
        secret = None if settings.jwt_secret is None else settings.jwt_secret.get_secret_value()
        yield SupabaseTokens(settings.issuer, RemoteKeys(keys.fetch, (KeyFetchError,)), secret, accounts)


@asynccontextmanager
async def _open_outgoing(networks: Iterable[str], tls: Tls, *, plain_http: bool) -> AsyncIterator[Outgoing]:
    """A client for servers in the settings whose answers name further ones: these must be allowed, too."""
    destinations = Destinations.of(plain_http=plain_http, networks=networks, ports=range(1, 1024))
    async with AsyncExitStack() as stack:
        resolver = Resolver()
        stack.callback(resolver.close)
        outgoing = Outgoing.open(destinations, resolver, tls)
        stack.push_async_callback(outgoing.client.aclose)
        yield outgoing


def _provider_options(name: str, provider: ProviderSettings, settings: IdentitySettings) -> ProviderOptions:
    preset, title = preset_of(name, provider), provider.title or name
    if preset == "github":
        server = None if provider.server is None else str(provider.server)
        return _PROVIDER.load()(_GITHUB.load()(name, title, server), provider.client_id, provider.client_secret)
    kind = _OIDC.load()(
        name, title, discovery_url_of(preset, provider), provider.trusts_addresses, settings.allow_http,
        preset == "microsoft",
    )  # fmt: skip
    return _PROVIDER.load()(kind, provider.client_id, provider.client_secret)


def create_mailer(settings: Settings) -> Mailer:
    """Raises OSError if MAIL__CA_FILE cannot be read, and ValueError if MAIL__FROM is not exactly one address."""
    mail = settings.mail
    if mail.engine != "smtp":
        return DirectoryMailer(settings.mail_directory, mail.sender)
    if not mail.host:
        raise MissingUrlError("MAIL__ENGINE=smtp needs MAIL__HOST")
    options = _SMTP_OPTIONS.load()(
        mail.host, mail.sender, mail.port, mail.security, mail.username, mail.password, mail.ca_file,
        mail.timeout.total_seconds(),
    )  # fmt: skip
    return _SMTP_MAILER.load()(options)


def model_options(settings: AgentSettings) -> ModelOptions:
    return ModelOptions(
        default=settings.model,
        by_agent=settings.models,
        fallbacks=settings.fallbacks,
        base_url=str(settings.base_url) if settings.base_url else None,
        api_key=settings.api_key,
        keys={str(provider): key for provider, key in settings.keys.items()},
        timeout=settings.model_timeout.total_seconds(),
        retries=settings.model_retries,
        connections=settings.model_connections,
        servers={name: ServerOptions(str(each.url), each.api_key) for name, each in settings.servers.items()},
    )


def create_blob_store(settings: Settings) -> BlobStore:
    """Raises OSError if BLOBS__CA_FILE cannot be read."""
    if settings.blobs.engine == "directory":
        return DirectoryBlobStore(settings.blob_directory)
    return _S3_STORE.load()(_s3_options(settings.blobs))


def refusal_of_blobs(settings: Settings) -> str | None:
    """Why the blob store of the settings cannot be used, in one line. One that cannot be reached now is no reason."""
    return None if settings.blobs.engine == "directory" else _REFUSAL.load()(_s3_options(settings.blobs))


def _s3_options(blobs: BlobSettings) -> S3Options:
    assert blobs.bucket is not None
    return _S3_OPTIONS.load()(
        bucket=blobs.bucket,
        region=blobs.region,
        prefix=blobs.prefix,
        endpoint=None if blobs.endpoint is None else str(blobs.endpoint),
        path_style=blobs.endpoint is not None if blobs.path_style is None else blobs.path_style,
        access_key_id=blobs.access_key_id,
        secret_access_key=blobs.secret_access_key,
        ca_file=blobs.ca_file,
        timeout=blobs.timeout.total_seconds(),
        links=blobs.presigned_downloads,
        public_endpoint=None if blobs.public_endpoint is None else str(blobs.public_endpoint),
    )
