"""An application that sends codes through a whole server, reads the mails that came, and asks about codes."""

from __future__ import annotations

import asyncio
import email
import email.policy
import re
from collections.abc import Mapping
from email.message import EmailMessage
from typing import Any

from google.protobuf.struct_pb2 import Struct

from postroom.v1 import email_pb2, email_service_pb2
from postroom_server.catcher import CaughtMail
from serving import Served, Told

ANN, BOB = "ann@example.com", "bob@example.com"
FROM = "noreply@acme.example"
CUSTOM = {"html": "<p>Hi <b>%verificationCode%</b></p>", "text": "It is %verificationCode%."}


class Codes:
    """An application that sends codes and asks whether they were right."""

    def __init__(self, served: Served, secret: str, reader: str) -> None:
        self.served, self.secret, self.reader = served, secret, reader

    async def send(self, *to: str, **fields: Any) -> Told:
        wanted = {"to": to or (ANN,), "biz_key": "SIGNIN", "verification": {}, **fields}
        if "template" not in wanted:
            wanted = {"subject": "%verificationCode% is your code", "custom": CUSTOM, **wanted}
        return await self.served.call("EmailService.SendEmail", self.secret, **wanted)

    async def check(self, code: str, address: str = ANN, **fields: Any) -> str:
        wanted = {"biz_key": "SIGNIN", "address": address, "code": code, **fields}
        told = await self.served.call("EmailService.CheckVerificationCode", self.secret, **wanted)
        return _word(told.message.outcome)

    async def until(self, outcome: str, code: str, address: str = ANN) -> None:
        """Asks until the hand-over is written: it comes a moment after the mail."""
        async with asyncio.timeout(10):
            while (told := await self.check(code, address)) != outcome:
                assert told == "EXPIRED"
                await asyncio.sleep(0.01)

    async def settled(self, email_id: int) -> email_pb2.Email:
        async with asyncio.timeout(10):
            while True:
                told = await self.served.call("EmailService.GetEmail", self.reader, id=email_id)
                if told.message.email.state != email_pb2.EMAIL_STATE_PENDING:
                    return told.message.email  # type: ignore[no-any-return]
                await asyncio.sleep(0.01)


def _word(outcome: int) -> str:
    name = email_service_pb2.VerificationOutcome.Name(outcome)  # type: ignore[arg-type]
    return name.removeprefix("VERIFICATION_OUTCOME_")


def parsed(mail: CaughtMail) -> EmailMessage:
    message = email.message_from_bytes(mail.message, policy=email.policy.default)
    assert isinstance(message, EmailMessage)
    return message


def part(message: EmailMessage, kind: str) -> str:
    found = message.get_body((kind,))
    assert found is not None
    return str(found.get_content()).replace("\r\n", "\n").strip()


def code_in(mail: CaughtMail) -> str:
    (code,) = re.findall(r"It is ([0-9]{6})\.", part(parsed(mail), "plain"))
    return str(code)


def to(mails: list[CaughtMail], address: str) -> CaughtMail:
    (mail,) = [each for each in mails if address in each.recipients]
    return mail


def templated(
    params: Mapping[str, Any], own: Mapping[str, Mapping[str, Any]] | None = None
) -> dict[str, Any]:
    """A template body of the template that `add_template` makes."""
    return {
        "invoke_name": "signin",
        "params": _struct(params),
        "recipient_params": {address: _struct(values) for address, values in (own or {}).items()},
    }


def _struct(values: Mapping[str, Any]) -> Struct:
    struct = Struct()
    struct.update(dict(values))
    return struct


async def add_template(served: Served, secret: str) -> None:
    variant = {"language": "en", "subject": "Sign in", "html": "<p>%name%: %verificationCode%</p>"}
    made = await served.call(
        "TemplateService.CreateTemplate",
        secret,
        template={"invoke_name": "signin", "name": "Sign in", "kind": 1, "content": {"variants": [variant]}},
    )
    assert made.code == "OK", made
