"""Acceptance over a real store: two tenants beside the platform, one mail server, and drafts to accept."""

from __future__ import annotations

import functools
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from fakes import ManualClock
from peers.configuration import ACME, AUTHOR, OPERATOR, Configuration
from postroom_server.mail.accept import Acceptance, Accepted, Outcome
from postroom_server.mail.admission import Admission
from postroom_server.mail.caller import Caller
from postroom_server.mail.draft import CustomBody, Draft, TemplateBody
from postroom_server.mail.limits import Limits
from postroom_server.mail.server_form import ServerForm
from postroom_server.mail.servers import ServerRecord
from postroom_server.mail.tenants import TenantForm
from postroom_server.store.models import ALL, Row
from postroom_server.store.opening import OpenDatabase

FROM = "noreply@acme.example"


def draft(**changes: Any) -> Draft:
    """One custom text to Ann; `fingerprint` follows `request_id` unless a test sets both."""
    made = {"body": CustomBody(text="Hello"), "subject": "Hi", "to": ("ann@example.com",), **changes}
    return Draft(**made)


def templated(invoke_name: str = "welcome", **changes: Any) -> Draft:
    params = changes.pop("params", {"name": "Ann"})
    own = changes.pop("recipient_params", {})
    return draft(**{"subject": "", "body": TemplateBody(invoke_name, params, own), **changes})


class Accepting(Configuration):
    """`accept(draft)` is what SendEmail does after reading its request."""

    def __init__(
        self,
        opened: OpenDatabase,
        limits: Limits | None = None,
        data_folder: Path | None = None,
        *,
        cc_every_copy: bool = False,
    ) -> None:
        super().__init__(opened, ManualClock(), limits)
        limits = limits or Limits()
        self.admission = Admission(self.clock, limits, data_folder=data_folder)
        self.acceptance = Acceptance(
            self.clock,
            self.mint,
            self.memory,
            self.admission,
            limits,
            default_language="en",
            code_key_id=opened.key.key_id,
            cc_every_copy=cc_every_copy,
        )

    async def add_server(self, tenant_id: int = ACME, name: str = "main", **form: Any) -> ServerRecord:
        wanted = {"host": "smtp.example.com", "from_address": FROM, **form}
        return await self.store.write(self.servers.add, tenant_id, ServerForm(name=name, **wanted))

    async def change_tenant(self, tenant_id: int = ACME, **rules: Any) -> None:
        await self.store.write(self.tenants.update, tenant_id, TenantForm(**rules), list(rules))

    async def accept(self, made: Draft, caller: Caller = AUTHOR) -> Accepted:
        checked = self.acceptance.check(caller, made)
        return await self.store.write(self.acceptance.accept_one, caller, checked)

    async def accept_many(self, drafts: Sequence[Draft], caller: Caller = AUTHOR) -> list[Outcome]:
        items = self.acceptance.check_batch(caller, len(drafts), drafts)
        return await self.store.write(self.acceptance.accept_many, caller, items)

    async def platform_template(self, form: Any) -> Any:
        return await self.new_template(form, OPERATOR)

    async def counts(self) -> dict[str, int]:
        """How many rows every table has: what a refused call must leave as it was."""
        return await self.store.read(_count_all)

    async def rows(self, model: type[Row], *conditions: Any) -> list[Any]:
        return await self.store.read(functools.partial(_rows, model, conditions))


def _count_all() -> dict[str, int]:
    return {model._meta.table_name: model.select().count() for model in ALL}


def _rows(model: type[Row], conditions: Sequence[Any]) -> list[Any]:
    query = model.select().where(*conditions) if conditions else model.select()
    # Content goes by its email's id, and what has neither is not in an order.
    return sorted(query, key=lambda row: row.__data__.get("id") or row.__data__.get("email_id") or 0)
