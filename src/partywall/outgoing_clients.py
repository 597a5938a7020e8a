"""Opens the clients of other servers: of addresses that users give, and of models."""

from __future__ import annotations

from contextlib import AsyncExitStack

from partywall.adapter_options import create_reranker, embedding_engine, model_options
from partywall.adapters.embeddings.catalogue import EmbedderCatalogue, open_catalogue
from partywall.adapters.embeddings.openai import OpenAiOptions
from partywall.adapters.language_models.models import Models
from partywall.core.outgoing.destinations import Destinations
from partywall.core.outgoing.endpoints import Tls, open_endpoint_client
from partywall.core.outgoing.guarded_transport import Outgoing
from partywall.core.outgoing.resolver import Resolver
from partywall.core.outgoing.retries import Retries
from partywall.core.rerankers import Reranker
from partywall.settings import AgentSettings, OutgoingSettings, Settings

EMBEDDING_RETRIES = Retries(4)
RERANK_RETRIES = Retries(1)


async def open_outgoing(stack: AsyncExitStack, settings: OutgoingSettings, tls: Tls) -> Outgoing:
    """The HTTP client for addresses that users give."""
    destinations = Destinations.of(
        plain_http=settings.allow_http, networks=settings.allowed_networks, ports=settings.allowed_ports
    )
    resolver = Resolver()
    stack.callback(resolver.close)
    outgoing = Outgoing.open(destinations, resolver, tls)
    stack.push_async_callback(outgoing.client.aclose)
    return outgoing


async def open_embedders(stack: AsyncExitStack, settings: Settings, tls: Tls) -> EmbedderCatalogue:
    engine, client = embedding_engine(settings.embeddings), None
    if isinstance(engine, OpenAiOptions):
        client = await stack.enter_async_context(open_endpoint_client(EMBEDDING_RETRIES, tls()))
    embedders = await open_catalogue(engine, models=settings.data_dir / "models", client=client)
    stack.push_async_callback(embedders.close)
    return embedders


async def open_reranker(stack: AsyncExitStack, settings: Settings, tls: Tls) -> Reranker | None:
    """None if searches are not reranked."""
    if settings.rerank.url is None:
        return None
    client = await stack.enter_async_context(open_endpoint_client(RERANK_RETRIES, tls()))
    return create_reranker(settings.rerank, client)


def open_models(stack: AsyncExitStack, settings: AgentSettings, tls: Tls) -> Models:
    models = Models(model_options(settings), tls)
    stack.push_async_callback(models.aclose)
    return models
