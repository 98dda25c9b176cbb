"""`python -m bench.templates`: what a template costs beside finished content, written and accepted.

    python -m bench.templates [--rounds N] [--only writing accepting]

One template mail of 5 KB is rendered and composed beside the standard library; batches of a thousand template
mails are accepted beside the same mails as custom bodies. What is compared takes turns.
"""

from __future__ import annotations

import argparse
import asyncio
import email.policy
import html
import re
import time
from collections.abc import Callable
from email.headerregistry import Address
from email.message import EmailMessage
from typing import Any

import grpc.aio
from bench import report
from bench.figures import Chapter, Figure
from bench.grpc_load import BATCH, OPTIONS
from bench.served import Postroom, postroom

from postroom.v1 import (
    email_service_pb2,
    template_pb2,
    template_service_pb2,
    template_service_pb2_grpc,
)
from postroom_server.message.mailing import Copy, Mailing, write
from postroom_server.message.percent_template import PercentTemplate
from postroom_server.message.template import Content, Rendered

_PARTS = ("writing", "accepting")
_BATCH = 1000
_SUBJECT = "Your order %order%"
_ROW = '<tr><td style="padding:4px 8px">{0}</td>\n<td style="text-align:right">%price_{1}%</td></tr>\n'
_PRICES = 10
_PLACE = re.compile(r"%([a-z_0-9]+)%")
# By how the words make the body travel.
_WORDS = {
    "7bit": "green tea from Hangzhou, tin of 250 g",
    "quoted-printable": "grüner Tee aus Hangzhou, Dose à 250 g",
    "base64": "杭州龙井绿茶，罐装二百五十克",
}


def content_of(words: str) -> Content:
    """A page whose HTML and text, filled in, are 5 KB together."""
    rows = "".join(_ROW.format(words, row % _PRICES) for row in range(30))
    page = f'<p>Dear %name%,</p>\n<table>\n{rows}</table>\n<p><a href="%link%">Order %order%</a></p>\n'
    lines = "".join(f"{words}: %price_{row}%\n" for row in range(_PRICES))
    return Content(_SUBJECT, page, f"Dear %name%,\n\n{lines}\n%link%\n")


def params_of(number: int) -> dict[str, str]:
    prices: dict[str, str] = {f"price_{row}": f'{number % 90 + row}.50 "EUR" & tax' for row in range(_PRICES)}
    link = f"https://shop.example/orders?id={number}&lang=en"
    return {**prices, "name": f"O'Brien & Son <{number}>", "link": link, "order": str(number)}


def _filled(text: str, params: dict[str, str], written: Callable[[str], str] = str) -> str:
    return _PLACE.sub(lambda found: written(params[found[1]]), text)


def _with_email_message(mail: Rendered) -> bytes:
    message = EmailMessage(policy=email.policy.SMTP)
    message["Date"] = "Tue, 14 Nov 2023 22:13:20 +0000"
    message["From"] = Address("Example Shop", addr_spec="shop@bench.test")
    message["To"] = "reader@example.com"
    message["Subject"] = mail.subject
    message["Message-ID"] = "<7181920211223.0@bench.test>"
    message.set_content(mail.text)
    message.add_alternative(mail.html or "", subtype="html")
    return message.as_bytes()


def writing(rounds: int) -> Chapter:
    """One mail, from template and parameters to finished, checked bytes."""
    chapter = Chapter(
        "Writing one template mail of 5 KB",
        "Rounds in which the three take turns, in one thread. Ours includes escaping, the checks of rendered "
        "subject, links and lengths, and that of the finished bytes; the peers are given a text part and "
        "check nothing. The ratio is how many times ours the peer takes.",
    )
    for encoding, words in _WORDS.items():
        content, params = content_of(words), params_of(1)
        template = PercentTemplate(content)
        rendered = template.render(params)
        mailing = Mailing(
            subject=None, subject_prefix=None, from_address="shop@bench.test", from_name="Example Shop",
            reply_to=(), headers=(), html=None, text=None, params=params, recipient_params={},
        )  # fmt: skip
        copy = Copy("7181920211223.0@bench.test", 1_700_000_000_000, ("reader@example.com",), ())

        def ours(
            mailing: Mailing = mailing, copy: Copy = copy, template: PercentTemplate = template
        ) -> bytes:
            return write(mailing, copy, template=template).message

        def peer(content: Content = content, params: dict[str, str] = params) -> bytes:
            page = _filled(content.html or "", params, html.escape)
            text = _filled(content.text or "", params)
            return _with_email_message(Rendered(_filled(content.subject, params), page, text))

        def peer_composing(rendered: Rendered = rendered) -> bytes:
            return _with_email_message(rendered)

        taken = _in_turns([ours, peer_composing, peer], rounds)
        octets = len((rendered.html or "").encode()) + len(rendered.text.encode())
        figure = Figure(f"{encoding}: render, compose, check", "µs", taken[0], target="≤ 150 µs")
        figure.met = figure.median <= 150
        figure.note = f"{octets} octets of HTML and text, {len(ours())} composed"
        chapter.figures += [
            figure,
            Figure(f"{encoding}: EmailMessage of the rendered parts", "µs", taken[1], taken[0]),
            Figure(f"{encoding}: re.sub with html.escape, EmailMessage", "µs", taken[2], taken[0]),
        ]
    return chapter


def _in_turns(contenders: list[Callable[[], bytes]], rounds: int) -> list[list[float]]:
    """Microseconds a call, by contender and round. A round gives each about two milliseconds."""
    repeats: list[int] = []
    for contender in contenders:
        contender()
        began = time.perf_counter()
        contender()
        repeats.append(max(1, int(0.002 / (time.perf_counter() - began))))
    taken: list[list[float]] = [[] for _ in contenders]
    for _ in range(rounds):
        for contender, times, spent in zip(contenders, repeats, taken, strict=True):
            began = time.perf_counter()
            for _ in range(times):
                contender()
            spent.append((time.perf_counter() - began) / times * 1e6)
    return taken


def accepting(rounds: int) -> Chapter:
    """A batch of a thousand template mails beside a batch of the same mails as custom bodies."""
    with postroom() as server:
        server.relay_to(9, 20)  # everything is due tomorrow: nobody is called
        taken, cpu = asyncio.run(_accept(server, rounds))
    chapter = Chapter(
        "Accepting template mails",
        f"BatchSendEmails with {_BATCH} mails a call, one call at a time, until its answer; due tomorrow; "
        "SQLite with synchronous=FULL; requests are bytes made before. The custom bodies are what the "
        "templates come to.",
    )
    for name in taken:
        against = None if name == "custom bodies" else taken["custom bodies"]
        figure = Figure(f"{_BATCH} mails, {name}", "ms", taken[name], against)
        figure.note = f"server CPU {sorted(cpu[name])[len(cpu[name]) // 2] / _BATCH * 1e6:.0f} µs/mail"
        if against is not None:
            figure.target, figure.met = "≤ 1.5", (figure.ratio or 0) <= 1.5
        chapter.figures.append(figure)
    return chapter


async def _accept(server: Postroom, rounds: int) -> tuple[dict[str, list[float]], dict[str, list[float]]]:
    metadata = (("authorization", f"Bearer {server.token}"),)
    answer_type = email_service_pb2.BatchSendEmailsResponse
    content = content_of(_WORDS["quoted-printable"])
    async with grpc.aio.insecure_channel(server.target, options=OPTIONS) as channel:
        await template_service_pb2_grpc.TemplateServiceStub(channel).CreateTemplate(
            template_service_pb2.CreateTemplateRequest(template=_template(content)), metadata=metadata
        )
        send: Any = channel.unary_unary(BATCH)
        makers = {"custom bodies": _custom, "template bodies": _templated}
        taken: dict[str, list[float]] = {name: [] for name in makers}
        cpu: dict[str, list[float]] = {name: [] for name in makers}
        for turn in range(rounds + 1):
            for name, make in makers.items():
                due = int(time.time()) + 86400
                first = turn * _BATCH
                items = [make(content, number, due) for number in range(first, first + _BATCH)]
                request = email_service_pb2.BatchSendEmailsRequest(items=items).SerializeToString()
                began, spent = time.perf_counter(), server.cpu
                answer = await send(request, metadata=metadata)
                ended, spent = time.perf_counter(), server.cpu - spent
                results = answer_type.FromString(answer).results
                if not all(result.HasField("accepted") for result in results):
                    raise RuntimeError(f"not all were accepted: {results[0]}")
                if turn:  # the first warms up
                    taken[name].append((ended - began) * 1000)
                    cpu[name].append(spent)
    return taken, cpu


def _template(content: Content) -> template_pb2.Template:
    variant = template_pb2.Variant(
        language="en", subject=content.subject, html=content.html or "", text=content.text or ""
    )
    return template_pb2.Template(
        invoke_name="order", name="Order", kind=template_pb2.TEMPLATE_KIND_TRIGGER,
        content=template_pb2.TemplateContent(variants=[variant]),
    )  # fmt: skip


def _templated(content: Content, number: int, due: int) -> email_service_pb2.SendEmailRequest:
    asked = _request(number, due)
    asked.template.invoke_name = "order"
    asked.template.params.update(params_of(number))
    return asked


def _custom(content: Content, number: int, due: int) -> email_service_pb2.SendEmailRequest:
    asked, params = _request(number, due), params_of(number)
    asked.subject = _filled(content.subject, params)
    asked.custom.html = _filled(content.html or "", params, html.escape)
    asked.custom.text = _filled(content.text or "", params)
    return asked


def _request(number: int, due: int) -> email_service_pb2.SendEmailRequest:
    asked = email_service_pb2.SendEmailRequest(
        to=[f"reader{number}@example.com"], from_address="shop@bench.test", from_name="Example Shop"
    )
    asked.schedule_time.seconds = due
    return asked


def main() -> None:
    parser = argparse.ArgumentParser(description="Measures templates beside finished content.")
    parser.add_argument("--rounds", type=int, default=15, help="of accepting; writing has ten times as many")
    parser.add_argument("--only", nargs="+", choices=_PARTS, default=_PARTS, metavar="PART")
    asked = parser.parse_args()
    chapters: list[Chapter] = []
    if "writing" in asked.only:
        chapters.append(writing(asked.rounds * 10))
    if "accepting" in asked.only:
        chapters.append(accepting(asked.rounds))
    report.show(chapters)


if __name__ == "__main__":
    main()
