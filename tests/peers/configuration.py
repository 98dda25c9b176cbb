"""Everything that configures a deployment, put together over a test's database, and callers to use it as."""

from __future__ import annotations

from postroom_server.clock import Clock
from postroom_server.mail import tenants, tokens
from postroom_server.mail.bindings import Bindings
from postroom_server.mail.caller import Caller, Scope
from postroom_server.mail.limits import Limits
from postroom_server.mail.page_token import PageTokens
from postroom_server.mail.rendering import Rendering
from postroom_server.mail.server_list import ServerList
from postroom_server.mail.servers import Servers
from postroom_server.mail.template_form import ContentForm, TemplateForm, TemplateRecord, VariantForm
from postroom_server.mail.template_list import TemplateList
from postroom_server.mail.template_review import Reviews
from postroom_server.mail.template_versions import TemplateVersions
from postroom_server.mail.templates import Templates
from postroom_server.mail.tenant_list import TenantList
from postroom_server.mail.tenants import TenantForm, Tenants, TenantSettings
from postroom_server.mail.token_list import TokenList
from postroom_server.mail.tokens import NewToken, TokenForm
from postroom_server.store.ids import IdMint
from postroom_server.store.known import Memory
from postroom_server.store.models import TemplateKind
from postroom_server.store.opening import OpenDatabase
from postroom_server.store.sealing import Sealer

ACME, OTHER = 7, 8
OPERATOR = Caller(0, 1, "operator", frozenset(Scope))
AUTHOR = Caller(ACME, 2, "author", frozenset(Scope) - {Scope.PLATFORM})
STRANGER = Caller(OTHER, 3, "stranger", frozenset(Scope) - {Scope.PLATFORM})
REVIEWER = Caller(ACME, 4, "reviewer", frozenset({Scope.TEMPLATE, Scope.TEMPLATE_REVIEW}))


def content(subject: str = "Hi %name%", html: str = "<p>%name%</p>") -> ContentForm:
    return ContentForm(variants=(VariantForm("en", subject, html),))


def template(invoke_name: str = "welcome", body: ContentForm | None = None) -> TemplateForm:
    return TemplateForm(invoke_name, "Welcome", TemplateKind.TRIGGER, body or content())


class Configuration:
    """The use cases, for two tenants beside the platform."""

    def __init__(self, opened: OpenDatabase, clock: Clock, limits: Limits | None = None) -> None:
        self.store, self.clock, self.mint = opened.store, clock, IdMint(clock)
        self.sealer = Sealer(opened.key)
        self.memory = Memory()
        limits, settings, pages = limits or Limits(), TenantSettings(), PageTokens(b"k" * 32)
        self.tenants = Tenants(clock, self.mint, settings)
        self.tenant_list = TenantList(pages)
        self.token_list = TokenList(pages)
        self.servers = Servers(clock, self.mint, self.sealer, limits, plaintext_hosts=["Relay.internal."])
        self.server_list = ServerList(pages)
        self.templates = Templates(clock, self.mint, limits, settings)
        self.template_list = TemplateList(pages)
        self.versions = TemplateVersions(clock, self.mint, pages, settings)
        self.reviews = Reviews(clock, settings)
        self.bindings = Bindings(clock, self.mint, pages)
        self.rendering = Rendering(self.memory, limits, settings)

    async def fill(self) -> Configuration:
        await self.store.write(tenants.ensure_platform, self.clock.now())
        for id_, name in ((ACME, "acme"), (OTHER, "other")):
            await self.store.write(self.tenants.create, id_, TenantForm(name=name))
        return self

    async def review_by_hand(self, tenant_id: int = ACME) -> None:
        await self.store.write(
            self.tenants.update, tenant_id, TenantForm(review_mode="MANUAL"), ["review_mode"]
        )

    async def new_token(self, form: TokenForm, tenant_id: int = ACME) -> NewToken:
        return await self.store.write(tokens.create, tenant_id, form, self.clock.now(), self.mint)

    async def new_template(
        self,
        form: TemplateForm | None = None,
        caller: Caller = AUTHOR,
        *,
        tenant_id: int | None = None,
        submit: bool = True,
    ) -> TemplateRecord:
        form = form or template()
        checked = await self.store.read(self.templates.check_new, caller, tenant_id, form)
        return await self.store.write(self.templates.create, caller, checked, submit)

    async def change_template(
        self,
        form: TemplateForm,
        *paths: str,
        caller: Caller = AUTHOR,
        expected_version: int = 0,
        submit: bool = True,
    ) -> TemplateRecord:
        checked = await self.store.read(
            self.templates.check_update, caller, None, form, paths, expected_version
        )
        return await self.store.write(self.templates.update, caller, checked, submit)
