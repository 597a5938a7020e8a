"""Settings from the environment, nested with `__`. Only entry points build them; other code receives values."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import timedelta
from pathlib import Path
from typing import Literal, Self

from pydantic import Field, SecretStr, model_validator
from pydantic_settings import SettingsConfigDict, SettingsError

from partywall.settings.accounts import AccountSettings
from partywall.settings.agents import AgentSettings
from partywall.settings.audit import AuditSettings
from partywall.settings.base import (
    DAY,
    HOUR,
    MILLISECOND,
    MINUTE,
    SECOND,
    YEAR,
    FromEnvironment,
    Section,
)
from partywall.settings.blobs import BlobSettings
from partywall.settings.documents import DocumentSettings
from partywall.settings.embeddings import EmbeddingSettings
from partywall.settings.events import EventSettings
from partywall.settings.features import FeatureSettings
from partywall.settings.files import FileSettings
from partywall.settings.http import HttpSettings
from partywall.settings.identities import IdentitySettings
from partywall.settings.mail import MailLinks, MailSettings
from partywall.settings.names import SEPARATOR, unknown_names
from partywall.settings.outgoing import OutgoingSettings, WebhookSettings
from partywall.settings.processes import ProcessSettings
from partywall.settings.quotas import QuotaSettings
from partywall.settings.rerank import RerankSettings
from partywall.settings.search import SearchSettings
from partywall.settings.supabase import SupabaseSettings
from partywall.settings.values import PathName
from partywall.settings.vectors import VectorSettings

MIN_SECRET_LENGTH = 32
DEFAULT_SECRETS = frozenset({"changethis", "changeme", "secret", "password", "default"})

type Engine = Literal["embedded", "server"]


class DatabaseSettings(Section):
    """`url` connects as the runtime role, `owner_url` as the migration owner; `direct_url` bypasses a pooler."""

    engine: Engine
    url: SecretStr | None = None
    owner_url: SecretStr | None = None
    direct_url: SecretStr | None = None
    pool_size: int = Field(default=16, ge=1, le=200)
    pool_overflow: int = Field(default=4, ge=0, le=200)
    statement_timeout: timedelta = Field(default=15 * SECOND, ge=100 * MILLISECOND, le=DAY)
    lock_timeout: timedelta = Field(default=5 * SECOND, ge=100 * MILLISECOND, le=DAY)
    transaction_timeout: timedelta = Field(default=30 * SECOND, ge=100 * MILLISECOND, le=DAY)

    @property
    def pooled(self) -> bool:
        """Whether `url` goes through a transaction pooler, which `direct_url` bypasses."""
        return self.direct_url is not None and self.direct_url != self.url

    def limits_ms(self, *, background: bool = False) -> dict[str, int]:
        """The limits for `server_settings`. Background processes have no lock or transaction limit."""
        waiting = {"lock_timeout": self.lock_timeout, "transaction_timeout": self.transaction_timeout}
        limits = {"statement_timeout_ms": self.statement_timeout, **({} if background else waiting)}
        return {name: int(limit.total_seconds() * 1000) for name, limit in limits.items()}


class CacheSettings(Section):
    engine: Engine
    url: SecretStr | None = None


class ProjectSettings(Section):
    invitation_ttl: timedelta = Field(default=7 * DAY, ge=MINUTE, le=YEAR)


class JobSettings(Section):
    """A worker without a heartbeat for `heartbeat_timeout` counts as dead; other workers take its jobs."""

    heartbeat_timeout: timedelta = Field(default=20 * SECOND, ge=SECOND, le=HOUR)
    poll_interval: timedelta = Field(default=5 * SECOND, ge=100 * MILLISECOND, le=HOUR)


class LogSettings(Section):
    format: Literal["auto", "json", "console"] = "auto"
    level: Literal["debug", "info", "warning", "error"] = "info"


class Settings(FromEnvironment):
    model_config = SettingsConfigDict(frozen=True)

    environment: Literal["development", "production"] = "development"
    data_dir: PathName = Path(".data")
    secret_key: SecretStr | None = Field(default=None, description="Unset in development: DATA_DIR/secret.key.")
    database: DatabaseSettings
    cache: CacheSettings
    http: HttpSettings = HttpSettings()
    accounts: AccountSettings = AccountSettings()
    identities: IdentitySettings = IdentitySettings()
    supabase: SupabaseSettings = SupabaseSettings()
    projects: ProjectSettings = ProjectSettings()
    embeddings: EmbeddingSettings = EmbeddingSettings()
    rerank: RerankSettings = RerankSettings()
    vectors: VectorSettings = VectorSettings()
    blobs: BlobSettings = BlobSettings()
    documents: DocumentSettings = DocumentSettings()
    files: FileSettings = FileSettings()
    mail: MailSettings = MailSettings()
    events: EventSettings = EventSettings()
    audit: AuditSettings = AuditSettings()
    jobs: JobSettings = JobSettings()
    agents: AgentSettings = AgentSettings()
    outgoing: OutgoingSettings = OutgoingSettings()
    webhooks: WebhookSettings = WebhookSettings()
    processes: ProcessSettings = ProcessSettings()
    quotas: QuotaSettings = QuotaSettings()
    search: SearchSettings = SearchSettings()
    features: FeatureSettings = FeatureSettings()
    log: LogSettings = LogSettings()

    @classmethod
    def check_names(cls, names: Iterable[str], variables: Mapping[str, str | None]) -> None:
        """Names of installed features may resemble ours; each checks its own."""
        installed = [each.strip().upper() for each in (variables.get("features__enabled") or "").split(",")]
        others = [name for name in names if name.upper().partition(SEPARATOR)[0] not in installed]
        if lines := list(unknown_names(others, cls)):
            raise SettingsError("\n".join(lines))

    @property
    def production(self) -> bool:
        return self.environment == "production"

    @property
    def serves_docs(self) -> bool:
        return not self.production if self.http.docs is None else self.http.docs

    @property
    def verification_required(self) -> bool:
        chosen = self.accounts.verification
        return self.production if chosen is None else chosen == "required"

    @property
    def blob_directory(self) -> Path:
        return self.blobs.directory or self.data_dir / "blobs"

    @property
    def max_body_bytes(self) -> int:
        """What no body may exceed. Unless it is set, an upload is limited by its own setting."""
        chosen = "max_body_bytes" in self.http.model_fields_set
        return self.http.max_body_bytes if chosen else max(self.http.max_body_bytes, self.blobs.largest_form)

    @property
    def spool_bytes(self) -> int:
        """Unless it is set, room for three of the largest uploads: a caller may use a third."""
        chosen = "spool_bytes" in self.http.model_fields_set
        return self.http.spool_bytes if chosen else max(self.http.spool_bytes, 3 * self.blobs.largest_form)

    @property
    def spool_directory(self) -> Path:
        return self.http.spool_directory or self.data_dir / "spool"

    @property
    def mail_directory(self) -> Path:
        return self.mail.directory or self.data_dir / "mail"

    @model_validator(mode="after")
    def _complete(self) -> Self:
        if self.production:
            if "embedded" in (self.database.engine, self.cache.engine):
                raise ValueError(
                    "production needs servers: set DATABASE__ENGINE=server and CACHE__ENGINE=server,"
                    " and run `partywall api` and `partywall worker`"
                )
            if self.secret_key is None:
                raise ValueError("production needs a secret: set SECRET_KEY to at least 32 random characters")
        if self.database.engine == "server" and self.database.url is None:
            raise ValueError("DATABASE__ENGINE=server needs the runtime role's URL: set DATABASE__URL")
        if self.cache.engine == "server" and self.cache.url is None:
            raise ValueError("CACHE__ENGINE=server needs the cache's URL: set CACHE__URL")
        return self

    @model_validator(mode="after")
    def _strong_secret(self) -> Self:
        if self.secret_key is not None:
            value = self.secret_key.get_secret_value()
            if len(value) < MIN_SECRET_LENGTH or value.lower() in DEFAULT_SECRETS or len(set(value)) < 8:
                raise ValueError("SECRET_KEY is weak or a default: set it to at least 32 random characters")
        return self

    @model_validator(mode="after")
    def _mail(self) -> Self:
        mail = self.mail
        if self.production and mail.engine is None:
            raise ValueError(
                "production needs a way to send mail: set MAIL__ENGINE=smtp with MAIL__HOST and MAIL__FROM,"
                " or MAIL__ENGINE=directory to write mail to files only"
            )
        if mail.engine == "smtp" and (not mail.host or "sender" not in mail.model_fields_set):
            raise ValueError("MAIL__ENGINE=smtp needs a server and a sender: set MAIL__HOST and MAIL__FROM")
        if self.production and mail.engine == "smtp" and mail.security == "none" and not mail.is_loopback:
            raise ValueError("MAIL__SECURITY=none would send mail in the clear: set it to starttls or tls")
        return self

    @model_validator(mode="after")
    def _own_address(self) -> Self:
        if self.identities.providers and self.http.public_url is None:
            raise ValueError("identity providers send browsers back to this server: set HTTP__PUBLIC_URL")
        return self

    @model_validator(mode="after")
    def _chosen(self) -> Self:
        """Production has no default for these: each must be chosen explicitly."""
        if self.production and "registration" not in self.accounts.model_fields_set:
            raise ValueError(
                "production needs a choice of who may register: set ACCOUNTS__REGISTRATION to open (anyone who can"
                " reach the API), invite (invited addresses) or closed (nobody)"
            )
        if self.production and "trusted_proxies" not in self.http.model_fields_set:
            raise ValueError(
                "production needs to know which proxies to trust: set HTTP__TRUSTED_PROXIES to the addresses of the"
                " proxies in front of it, or to none if clients connect directly"
            )
        return self


__all__ = [
    "AccountSettings",
    "AgentSettings",
    "BlobSettings",
    "CacheSettings",
    "DatabaseSettings",
    "EmbeddingSettings",
    "Engine",
    "EventSettings",
    "FeatureSettings",
    "HttpSettings",
    "IdentitySettings",
    "JobSettings",
    "LogSettings",
    "MailLinks",
    "MailSettings",
    "OutgoingSettings",
    "ProcessSettings",
    "ProjectSettings",
    "QuotaSettings",
    "RerankSettings",
    "SearchSettings",
    "Section",
    "Settings",
    "SupabaseSettings",
    "VectorSettings",
    "WebhookSettings",
]
