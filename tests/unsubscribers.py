"""Mail with unsubscribe links from a whole server, and what its readers do with them."""

from __future__ import annotations

import email
import email.policy
from email.message import EmailMessage
from typing import Any, cast

from postroom.v1 import email_service_pb2, template_pb2
from serving import ACME, Served

BASE = "https://mail.example.com"
JANE = "jane.doe@example.com"
MASKED = "j***@example.com"
PAGE = '<p>Hello</p><p><a href="%%user_defined_unsubscribe_link%%">{leave}</a></p>'
KINDS = {"news": template_pb2.TEMPLATE_KIND_BATCH, "receipt": template_pb2.TEMPLATE_KIND_TRIGGER}


class Publisher:
    """A token of ACME with two templates: `news` is sent to many, `receipt` is not."""

    def __init__(self, served: Served, secret: str) -> None:
        self.served, self.secret = served, secret
        self._read = 0

    @classmethod
    async def of(cls, served: Served, **server: Any) -> Publisher:
        await served.add_server(ACME, **{"from_address": "news@acme.example", "from_name": "Acme", **server})
        made = cls(served, await served.token("publisher"))
        for name, kind in KINDS.items():
            variants = [
                template_pb2.Variant(language=language, subject=name, html=PAGE.format(leave=leave))
                for language, leave in (("en", "leave"), ("zh-CN", "退订"))
            ]
            content = template_pb2.TemplateContent(default_language="en", variants=variants)
            template = template_pb2.Template(invoke_name=name, name=name, kind=kind, content=content)
            await made.call("TemplateService.CreateTemplate", template=template)
        return made

    async def call(self, method: str, **fields: Any) -> Any:
        return (await self.served.call(method, self.secret, **fields)).message

    async def send(self, name: str = "news", *to: str, **fields: Any) -> Any:
        """What SendEmail answers."""
        body = email_service_pb2.TemplateBody(invoke_name=name)
        return await self.call("EmailService.SendEmail", to=to or (JANE,), template=body, **fields)

    async def next_mail(self) -> EmailMessage:
        """The next that arrives, in the order of arrival."""
        caught = await self.served.until_caught(self._read + 1)
        self._read += 1
        read = email.message_from_bytes(caught[self._read - 1].message, policy=email.policy.default)
        return cast(EmailMessage, read)

    async def link(self, *to: str, **fields: Any) -> str:
        """The path of the link in a mail that is sent for it."""
        await self.send("news", *to, **fields)
        return path_of(await self.next_mail())

    async def token(self, *to: str, **fields: Any) -> str:
        return (await self.link(*to, **fields)).rpartition("/")[2]

    async def listed(self) -> list[tuple[str, int]]:
        page = await self.call("SuppressionService.ListSuppressions")
        return [(row.address, row.reason) for row in page.suppressions]


def path_of(message: EmailMessage) -> str:
    header = str(message["List-Unsubscribe"])
    assert header.startswith(f"<{BASE}/u/")
    assert header.endswith(">")
    return header[len(BASE) + 1 : -1]
