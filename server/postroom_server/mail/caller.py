"""Who is calling: the tenant, the token and what the token may do."""

from __future__ import annotations

import dataclasses
import enum


class Scope(enum.StrEnum):
    """What a token may do. No scope contains another: a token that sends and reads carries both.

    PLATFORM lets its holder name another tenant in a request and manage tenants; it does not add SEND, READ
    or ADMIN within that tenant. ADMIN manages the tenant's own tokens, and nothing else.
    """

    SEND = "send"
    READ = "read"
    READ_CONTENT = "read_content"
    TEMPLATE = "template"
    TEMPLATE_REVIEW = "template.review"
    CODE = "code"
    SERVER = "server"
    DIRECTORY = "directory"
    SEND_ALL = "send.all"
    ADMIN = "admin"
    PLATFORM = "platform"


@dataclasses.dataclass(frozen=True, slots=True)
class Caller:
    """The bearer of a token that was recognised. `test` tokens accept and never hand over."""

    tenant_id: int
    token_id: int
    name: str
    scopes: frozenset[Scope]
    test: bool = False
    user_id: int = 0
