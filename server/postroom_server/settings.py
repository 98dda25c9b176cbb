"""Settings: everything that can be set, its default, its meaning and what it may be."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import Field, SecretStr, field_validator, model_validator
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict

from postroom_server.setting_values import (
    BaseUrl,
    HeaderSecret,
    HeloName,
    Networks,
    Positive,
    Texts,
    TimeZoneName,
    host_name,
)

PREFIX = "POSTROOM_"
_LIMIT = "limit_"
_SECONDS = "_seconds"


class Settings(BaseSettings):
    """Everything that can be set. A path is relative to the folder in which the process starts."""

    model_config = SettingsConfigDict(env_prefix=PREFIX, extra="forbid", frozen=True)

    database_url: str = Field(
        "sqlite:///data/postroom.db",
        description="The database: `sqlite:///relative/path`, `sqlite:////absolute/path` or `postgresql://…`.",
    )
    database_connections: Positive = Field(8, description="Connections to PostgreSQL, from each process.")
    auto_migrate: bool = Field(
        True, description="Whether a starting server brings the database to its release's schema."
    )
    data_key: SecretStr = Field(
        SecretStr(""),
        description="The key that seals secrets in the database: 32 bytes in hexadecimal or base64.",
    )
    data_key_file: Path | None = Field(
        None,
        description="A file that holds the data key, readable by its owner only. Unset with SQLite: beside "
        "the database, with the suffix `.key`, and made with it. PostgreSQL needs this or `data_key`.",
    )

    only: Literal["", "api", "delivery"] = Field(
        "", description="The part that this process plays; empty: all. Refused on SQLite."
    )
    grpc_address: str = Field(
        "127.0.0.1:50051", description="Where gRPC listens: `host:port`, `[v6]:port` or `unix:/path`."
    )
    grpc_tls_cert: Path | None = Field(None, description="The gRPC server's certificate chain, PEM.")
    grpc_tls_key: Path | None = Field(None, description="The private key of `grpc_tls_cert`, PEM.")
    grpc_tls_client_ca: Path | None = Field(
        None, description="Asks clients for certificates signed by these authorities, PEM."
    )
    grpc_plaintext_ok: bool = Field(
        False,
        description="Lets gRPC listen without TLS where other machines reach it; for when a proxy encrypts.",
    )
    reflection: bool = Field(True, description="Whether gRPC describes its services to anyone who asks.")
    http_address: str = Field(
        "127.0.0.1:8080",
        description="Where the REST APIs are served: `host:port` or `[v6]:port`; empty: nowhere.",
    )
    http_tls_cert: Path | None = Field(None, description="The HTTP server's certificate chain, PEM.")
    http_tls_key: Path | None = Field(None, description="The private key of `http_tls_cert`, PEM.")
    http_plaintext_ok: bool = Field(
        False,
        description="Lets HTTP listen without TLS where other machines reach it; for when a proxy encrypts.",
    )
    http_trusted_proxies: Networks = Field(
        (), description="Proxies whose `X-Forwarded-For` is believed: addresses and networks, by commas."
    )
    http_connections: Positive = Field(1000, description="HTTP connections at once; more are refused.")
    http_metrics: bool = Field(True, description="Whether `/metrics` is served over HTTP, too.")
    http_time_zone: TimeZoneName = Field(
        "Asia/Shanghai", description="The zone of dates in the REST APIs, which name none."
    )
    rest_default_language: str = Field(
        "zh_CN", description="The language of mail sent through `/api/v1/email` that asks for none."
    )
    rest_bare_numbers: bool = Field(
        False, description="Whether `/api/v1/email` answers numbers as numbers, not as strings."
    )
    gateway_token: HeaderSecret = Field(
        SecretStr(""),
        description="What `postroom gateway` shows and servers know it by: they then count wrong tokens by "
        "the addresses of its clients. At least 16 characters; it opens nothing else.",
    )
    metrics_address: str = Field(
        "127.0.0.1:9464", description="Where `/metrics` is served for Prometheus; empty: nowhere."
    )

    log_level: Literal["debug", "info", "warning", "error"] = Field(
        "info", description="The least that is logged."
    )
    log_format: Literal["console", "json"] = Field("console", description="Lines for people, or JSON.")

    review_mode: Literal["auto", "manual"] = Field(
        "auto", description="Whether new template versions are approved at once, where a tenant says nothing."
    )
    template_guard_days: Annotated[int, Field(ge=0, le=366)] = Field(
        30,
        description="How many days back a new template version is compared with what callers sent: one that "
        "would refuse it is refused, unless its author insists. The same in all processes. 0: never.",
    )
    default_language: str = Field(
        "en", description="The language of templates for mail that asks for none and whose tenant has none."
    )

    unsubscribe_base_url: BaseUrl = Field(
        "",
        description="Where readers reach the gateway, such as `https://mail.example.com`: mail by templates "
        "of the kind BATCH then carries links to unsubscribe by. `https`, but for loopback; the same in all "
        "processes. Empty: no links.",
    )

    helo_name: HeloName = Field(
        default_factory=host_name,
        description="The name for EHLO. Unset: the machine's full name, else `localhost`.",
    )
    smtp_ca_file: Path | None = Field(
        None,
        description="Authorities whose certificates SMTP servers may have, PEM. Unset: the system's.",
    )
    cc_every_copy: bool = Field(
        False, description="Whether Cc and Bcc get every separate copy of an email, not the first alone."
    )
    attachment_http: bool = Field(
        False, description="Whether attachments are fetched over plain http too; https alone is safe."
    )
    attachment_ports: Texts = Field(
        (), description="Ports besides 443 (and 80 with http) that attachments are fetched from, by commas."
    )
    attachment_hosts: Texts = Field(
        (),
        description="Hosts of your own, `name` or `name:port`, by commas: attachments are fetched from them "
        "although their addresses are internal.",
    )
    attachment_ca_file: Path | None = Field(
        None, description="Authorities of hosts that attachments are fetched from, PEM. Unset: the system's."
    )
    preparing_slots: Positive = Field(
        8, description="Emails whose attachments are fetched at once, in each process."
    )
    smtp_plaintext_hosts: Texts = Field(
        (),
        description="Hosts besides loopback to which mail servers may be added with TLS mode OFF, by commas.",
    )
    delivery_slots: Positive = Field(64, description="Deliveries under way at once, in each process.")
    server_connections: Positive = Field(
        16, description="Connections to a mail server that sets no `max_connections`, from each process."
    )
    sender_process: Literal["auto", "always", "never"] = Field(
        "auto",
        description="Whether a process beside this one writes letters and talks to mail servers, so that two "
        "processors work: `auto`, while much mail waits, and where there are two.",
    )
    poll_ms: Annotated[int, Field(ge=10)] = Field(
        250, description="How often the database is asked for due mail, in milliseconds."
    )
    beat_seconds: Annotated[float, Field(gt=0)] = Field(
        15.0, description="How often a process on PostgreSQL tells the others that it lives."
    )
    dead_after_seconds: Annotated[float, Field(gt=0)] = Field(
        60.0,
        description="After so long without a beat the others take a process for dead, and its work over. "
        "At least four beats; the same in all processes.",
    )
    drain_seconds: Annotated[float, Field(ge=0)] = Field(
        30.0, description="How long a stopping server waits for calls and for mail whose last dot is written."
    )

    limit_recipients_per_email: Positive = Field(
        500, description="Addresses of an email, in each of To, Cc and Bcc."
    )
    limit_content_characters: Positive = Field(
        200_000, description="Characters of each part of a custom body."
    )
    limit_params_bytes: Positive = Field(64 * 1024, description="Bytes of one set of parameters, as JSON.")
    limit_params_names: Positive = Field(500, description="Names in one set of parameters.")
    limit_attachments: Positive = Field(10, description="Attachments of an email.")
    limit_attachment_bytes: Positive = Field(10 << 20, description="Bytes of one attachment.")
    limit_attachments_bytes: Positive = Field(
        20 << 20, description="Bytes of an email's attachments together."
    )
    limit_labels: Positive = Field(16, description="Labels of an email.")
    limit_headers: Positive = Field(32, description="Extra headers of an email.")
    limit_reply_to: Positive = Field(10, description="Reply-To addresses of an email.")
    limit_batch_items: Positive = Field(1000, description="Emails in a batch.")
    limit_batch_recipients: Positive = Field(5000, description="Recipients in a batch.")
    limit_delete_ids: Positive = Field(200, description="Emails deleted in one call.")
    limit_pending_per_tenant: Positive = Field(1_000_000, description="Emails of a tenant that wait.")
    limit_templates_per_tenant: Positive = Field(1000, description="Templates of a tenant.")
    limit_servers_per_tenant: Positive = Field(10, description="Mail servers of a tenant.")
    limit_template_bytes: Positive = Field(
        1 << 20, description="Bytes of each part of a template in one language."
    )
    limit_lifetime_seconds: Positive = Field(
        48 * 3600, description="How long an email is tried when its caller names no `expire_time`."
    )
    limit_longest_schedule_seconds: Positive = Field(
        366 * 86400, description="How far ahead mail is scheduled."
    )
    limit_urgent_per_minute: Positive = Field(60, description="Urgent emails a minute of a tenant.")
    limit_urgent_burst: Positive = Field(120, description="Urgent emails at once of a tenant.")
    limit_min_free_disk_bytes: Annotated[int, Field(ge=0)] = Field(
        64 << 20, description="Free bytes on SQLite's disk under which nothing is accepted."
    )
    limit_idempotency_seconds: Positive = Field(
        72 * 3600, description="How long a `request_id` is remembered."
    )
    limit_busy_retry_seconds: Positive = Field(
        60, description="When a caller over its backlog is told to come back."
    )
    limit_code_validity_seconds: Annotated[int, Field(ge=1, le=86400)] = Field(
        300, description="How long a verification code is valid when neither request nor template says."
    )
    limit_code_interval_seconds: Annotated[int, Field(ge=0)] = Field(
        60, description="The pause between two verification codes to one address."
    )
    limit_codes_per_hour: Positive = Field(5, description="Verification codes an hour to one address.")
    limit_codes_per_day: Positive = Field(10, description="Verification codes a day to one address.")
    limit_code_guesses: Positive = Field(
        5, description="Wrong guesses for one purpose and address that lock it for an hour."
    )
    limit_code_failures_per_hour: Positive = Field(
        10, description="Wrong guesses an hour for one address, over all purposes."
    )

    @field_validator("only", mode="before")
    @classmethod
    def _no_gateway(cls, value: object) -> object:
        if value == "gateway":
            raise ValueError("a gateway needs no database: run postroom gateway --target host:port")
        return value

    @model_validator(mode="after")
    def _roles_need_postgresql(self) -> Self:
        if self.only and self.database_url.startswith("sqlite"):
            raise ValueError(f"only={self.only} needs PostgreSQL: one process serves a SQLite database alone")
        return self

    @model_validator(mode="after")
    def _beats_often_enough(self) -> Self:
        if self.dead_after_seconds < 4 * self.beat_seconds:
            raise ValueError("dead_after_seconds must be at least four times beat_seconds")
        return self

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        # `load` merges the sources itself, because it remembers which one each value came from.
        del settings_cls, env_settings, dotenv_settings, file_secret_settings
        return (init_settings,)

    def limits(self) -> dict[str, int]:
        """The `limit_…` settings under the names of mail/limits.py, durations in milliseconds."""
        limits = {}
        for name in type(self).model_fields:
            if name.startswith(_LIMIT):
                key, value = name.removeprefix(_LIMIT), getattr(self, name)
                limits[key.removesuffix(_SECONDS)] = value * 1000 if key.endswith(_SECONDS) else value
        return limits
