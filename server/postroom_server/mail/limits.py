"""How much is too much. Each is a setting; these are the defaults (contract.md)."""

from __future__ import annotations

import dataclasses

from postroom_server.clock import HOUR, MINUTE, Millis


@dataclasses.dataclass(frozen=True, slots=True)
class Limits:
    recipients_per_email: int = 500
    content_characters: int = 200_000  # of a custom body, each part
    params_bytes: int = 64 * 1024  # of one set of parameters, as JSON
    params_names: int = 500
    attachments: int = 10
    attachment_bytes: int = 10 << 20
    attachments_bytes: int = 20 << 20  # together
    labels: int = 16
    headers: int = 32
    reply_to: int = 10
    batch_items: int = 1000
    batch_recipients: int = 5000
    delete_ids: int = 200
    pending_per_tenant: int = 1_000_000
    templates_per_tenant: int = 1000
    servers_per_tenant: int = 10
    template_bytes: int = 1 << 20  # html or text of one variant
    lifetime: Millis = 48 * HOUR  # of an email, when the caller names no expire_time
    longest_schedule: Millis = 366 * 24 * HOUR
    urgent_per_minute: int = 60
    urgent_burst: int = 120
    min_free_disk_bytes: int = 64 << 20
    idempotency: Millis = 72 * HOUR
    busy_retry: Millis = MINUTE
    code_validity: Millis = 5 * MINUTE  # when neither request nor template names one
    code_interval: Millis = MINUTE  # between two codes to one address
    codes_per_hour: int = 5  # to one address
    codes_per_day: int = 10
    code_guesses: int = 5  # wrong ones for one purpose and address, then it is locked
    code_failures_per_hour: int = 10  # wrong ones for one address, whatever the purpose
