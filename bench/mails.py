"""The mail that everything here carries: a text and an HTML part, about 6 KB, its number in every part."""

from __future__ import annotations

import datetime
import re
import time
from typing import Any

from postroom.v1 import email_service_pb2
from postroom_server.message.mailing import Copy, Mailing, write

SENDER = "shop@bench.test"
SENDER_NAME = "Müller & Söhne"

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

_SUBJECT = re.compile(rb"^Subject: bench ([0-9]+)\r\n", re.MULTILINE)
_END = re.compile(rb"\r\n([0-9]+) ends\r\n")


def address(number: int) -> str:
    return f"reader{number}@example.com"


def request(number: int, *, later: bool = False) -> email_service_pb2.SendEmailRequest:
    """`later` is due tomorrow: it is accepted, and the engine has nothing to do with it yet."""
    asked = email_service_pb2.SendEmailRequest(
        to=[address(number)],
        subject=f"bench {number}",
        from_address=SENDER,
        from_name=SENDER_NAME,
        custom=email_service_pb2.CustomBody(
            html=_HTML.format(number=number), text=_TEXT.format(number=number)
        ),
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
        "subject": f"bench {number}",
        "fromAddress": SENDER,
        "toAddress": [address(number)],
        "content": _HTML.format(number=number),
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
        subject=f"bench {number}", subject_prefix=None, from_address=SENDER, from_name=SENDER_NAME,
        reply_to=(), headers=(), html=_HTML.format(number=number), text=_TEXT.format(number=number),
        params={}, recipient_params={},
    )  # fmt: skip
    copy = Copy(f"{number:x}.bench@bench.test", time.time_ns() // 1_000_000, (address(number),), ())
    return write(mailing, copy, template=None).message


def number_of(recipient: bytes, received: bytes) -> int | None:
    """The number of a mail as received, or None when its subject, recipient and body do not agree."""
    subject, end = _SUBJECT.search(received), _END.search(received)
    if subject is None or end is None or subject[1] != end[1]:
        return None
    return int(subject[1]) if recipient == b"reader" + subject[1] + b"@example.com" else None
