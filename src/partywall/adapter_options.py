"""The settings of an adapter, as the adapter takes them."""

from __future__ import annotations

from partywall.adapters.embeddings.catalogue import LocalEngine
from partywall.adapters.embeddings.openai import OpenAiOptions
from partywall.adapters.language_models.options import ModelOptions, ServerOptions
from partywall.adapters.mail.directory import DirectoryMailer
from partywall.adapters.mail.smtp import SmtpMailer, SmtpOptions
from partywall.core.mail.message import Mailer
from partywall.settings import AgentSettings, EmbeddingSettings, Settings


class MissingUrlError(Exception):
    """The setting for the URL of a service is missing."""


def embedding_engine(settings: EmbeddingSettings) -> LocalEngine | OpenAiOptions:
    if settings.engine != "openai":
        return settings.engine
    if settings.url is None or settings.model is None or settings.dimension is None:
        raise MissingUrlError(
            "EMBEDDINGS__ENGINE=openai needs EMBEDDINGS__URL, EMBEDDINGS__MODEL and EMBEDDINGS__DIMENSION"
        )
    budgets = (settings.timeout, settings.query_timeout)
    return OpenAiOptions(
        str(settings.url), settings.model, settings.dimension, settings.api_key, *budgets, settings.batch_size
    )


def create_mailer(settings: Settings) -> Mailer:
    """Raises OSError if MAIL__CA_FILE cannot be read, and ValueError if MAIL__FROM is not exactly one address."""
    mail = settings.mail
    if mail.engine != "smtp":
        return DirectoryMailer(settings.mail_directory, mail.sender)
    if not mail.host:
        raise MissingUrlError("MAIL__ENGINE=smtp needs MAIL__HOST")
    options = SmtpOptions(
        mail.host, mail.sender, mail.port, mail.security, mail.username, mail.password, mail.ca_file,
        mail.timeout.total_seconds(),
    )  # fmt: skip
    return SmtpMailer(options)


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
