"""The mail that everything here carries: a text and an HTML part, about 6 KB, its number in every part."""

from __future__ import annotations

import datetime
import re
import time
from typing import Any

from postroom.v1 import email_service_pb2, template_pb2
from postroom_server.message.mailing import Copy, Mailing, write

SENDER = "shop@bench.test"
SENDER_NAME = "Müller & Söhne"
CODE_KEY = "SIGN_IN"

_ROW = (
    '<tr><td style="padding:4px 8px;color:#333333">{0}. grüner Tee aus Hangzhou, Dose à 250 g</td>\n'
    '<td style="text-align:right">12.50 EUR</td></tr>\n'
)
_HTML = (
    "<!doctype html><html><head><title>Your order {number}</title></head><body>\n"
    "<p>Dear customer,</p>\n<table>\n"
    + "".join(_ROW.format(row) for row in range(30)).replace("{", "{{").replace("}", "}}")
    + '</table>\n<p>See <a href="https://shop.example/orders?id={number}">your order {number}</a>.</p>\n'
    "</body></html>\n"
)
_LINE = "Your order is on its way to you and will be there soon.\n"
_TEXT = f"Dear customer,\n\n{_LINE * 12}\n{{number}} ends\n"

_RECIPIENT = re.compile(rb"reader([0-9]+)@example\.com")
# The same mail as a template: what differs from mail to mail or might, and what a caller would fill in.
TEMPLATE = "order"
_PRICES = 10
_PRICE = "12.50 EUR"


def address(number: int) -> str:
    return f"reader{number}@example.com"


def subject(number: int) -> str:
    return f"bench {number}"


def html(number: int) -> str:
    return _HTML.format(number=number)


def text(number: int) -> str:
    return _TEXT.format(number=number)


def pattern() -> dict[str, str]:
    """The mail for a driver in another language: `{number}` is to be replaced, in every part."""
    return {
        "subject": "bench {number}", "to": "reader{number}@example.com", "from": SENDER,
        "from_name": SENDER_NAME, "html": _marked(_HTML), "text": _marked(_TEXT),
    }  # fmt: skip


def _marked(text: str) -> str:
    return text.format(number="{number}")


def template_variant() -> template_pb2.Variant:
    """Renders to the custom mail, byte for byte, with `params`."""
    page = _HTML.format(number="%number%")
    for row in range(30):
        page = page.replace(_PRICE, f"%price_{row % _PRICES}%", 1)
    return template_pb2.Variant(
        language="en", subject="bench %number%", html=page, text=_TEXT.format(number="%number%")
    )


def params(number: int) -> dict[str, str]:
    return {"number": str(number), **{f"price_{row}": _PRICE for row in range(_PRICES)}}


def template_request(number: int, *, later: bool = False) -> email_service_pb2.SendEmailRequest:
    """The mail of `request`, by template."""
    asked = request(number, later=later)
    asked.subject = ""
    asked.template.invoke_name = TEMPLATE
    asked.template.params.update(params(number))
    return asked


def code_request(number: int, *, later: bool = False) -> email_service_pb2.SendEmailRequest:
    """A mail with a verification code."""
    asked = request(number, later=later)
    asked.biz_key = CODE_KEY
    asked.verification.SetInParent()
    asked.custom.html = asked.custom.html.replace("</body>", "<p>It is %verificationCode%.</p></body>")
    asked.custom.text += "It is %verificationCode%.\n"
    return asked


def request(number: int, *, later: bool = False) -> email_service_pb2.SendEmailRequest:
    """`later` is due tomorrow: it is accepted, and the engine has nothing to do with it yet."""
    asked = email_service_pb2.SendEmailRequest(
        to=[address(number)],
        subject=subject(number),
        from_address=SENDER,
        from_name=SENDER_NAME,
        custom=email_service_pb2.CustomBody(html=html(number), text=text(number)),
    )
    if later:
        asked.schedule_time.seconds = int(time.time()) + 86400
    return asked


def html_request(number: int, *, later: bool = False) -> email_service_pb2.SendEmailRequest:
    """The mail that `rest` says, as a call of SendEmail."""
    asked = request(number, later=later)
    asked.ClearField("from_name")
    asked.custom.ClearField("text")
    return asked


def rest(number: int, *, later: bool = False) -> dict[str, Any]:
    """The body of POST /api/v1/email; that dialect carries one part and no display name."""
    body = {
        "type": "CUSTOM",
        "subject": subject(number),
        "fromAddress": SENDER,
        "toAddress": [address(number)],
        "content": html(number),
        "html": True,
        "verificationCode": False,
        "batch": False,
    }
    if later:
        tomorrow = datetime.datetime.now(datetime.UTC) + datetime.timedelta(days=1)
        body["expectedSendDate"] = tomorrow.isoformat(timespec="seconds")
    return body


def message(number: int) -> bytes:
    """The finished bytes that Postroom would make of the request, for a peer that takes those."""
    mailing = Mailing(
        subject=subject(number), subject_prefix=None, from_address=SENDER, from_name=SENDER_NAME,
        reply_to=(), headers=(), html=_HTML.format(number=number), text=_TEXT.format(number=number),
        params={}, recipient_params={},
    )  # fmt: skip
    copy = Copy(f"{number:x}.bench@bench.test", time.time_ns() // 1_000_000, (address(number),), ())
    return write(mailing, copy, template=None).message


def number_of(recipient: bytes) -> int | None:
    """The number in a recipient's address."""
    found = _RECIPIENT.fullmatch(recipient)
    return int(found[1]) if found else None
