"""Rendering and composing one template mail: Postroom's direct way beside the standard library's.

Run `python bench/compose.py [--rounds N]`. Every figure is a median of rounds in which the contenders take
turns, so that the ratios hold on a noisy machine where the absolutes do not.
"""

from __future__ import annotations

import argparse
import email.policy
import html
import platform
import re
import statistics
import time
from collections.abc import Callable, Mapping
from email.headerregistry import Address
from email.message import EmailMessage
from email.mime.multipart import MIMEMultipart
from email.mime.text import MIMEText

from postroom_server.message.compose import Letter, check_finished, compose, encode_body
from postroom_server.message.percent_template import PercentTemplate
from postroom_server.message.template import Content

_ROW = (
    '<tr><td style="padding:4px 8px;color:#333333">{0}. {1}</td>\n'
    '<td style="text-align:right">%{2}%</td></tr>\n'
)
_NAMES = [f"value_{index}" for index in range(11)]


def _page(words: str) -> str:
    rows = "".join(_ROW.format(index, words, _NAMES[index % len(_NAMES)]) for index in range(31))
    return (
        "<!doctype html><html><head><title>Your order</title></head><body>\n<p>Dear %name%,</p>\n"
        f'<table>\n{rows}</table>\n<p>%name%, see <a href="%link%">your order %order%</a>.</p>\n'
        "</body></html>\n"
    )


_PARAMS: dict[str, object] = {
    **{name: f"{index}.50 & more" for index, name in enumerate(_NAMES)},
    "name": "Li Lei",
    "link": "https://shop.example/orders?id=12345&lang=en",
    "order": 12345.0,
}
_STRINGS = {name: "12345" if name == "order" else str(value) for name, value in _PARAMS.items()}
_PLACE = re.compile(r"%([A-Za-z_][A-Za-z0-9_.-]{0,63})%")


def _letter(subject: str, page: str, text: str) -> Letter:
    return Letter(
        "7181920211223.0@mail.example.com",
        1_700_000_000_000,
        "noreply@shop.example",
        "Example Shop 商店",
        ("li.lei@example.com",),
        subject=subject,
        html=page,
        text=text,
    )


def _with_email_message(letter: Letter) -> bytes:
    message = EmailMessage(policy=email.policy.SMTP)
    message["Date"] = "Tue, 14 Nov 2023 22:13:20 +0000"
    message["From"] = Address(letter.from_name, addr_spec=letter.from_address)
    message["To"] = letter.to[0]
    message["Subject"] = letter.subject
    message["Message-ID"] = f"<{letter.message_id}>"
    message.set_content(letter.text or "")
    message.add_alternative(letter.html or "", subtype="html")
    return message.as_bytes()


def _with_email_mime(letter: Letter) -> bytes:
    message = MIMEMultipart("alternative")
    message["Date"] = "Tue, 14 Nov 2023 22:13:20 +0000"
    message["From"] = letter.from_address
    message["To"] = letter.to[0]
    message["Subject"] = letter.subject
    message["Message-ID"] = f"<{letter.message_id}>"
    message.attach(MIMEText(letter.text or "", "plain", "utf-8"))
    message.attach(MIMEText(letter.html or "", "html", "utf-8"))
    return message.as_bytes()


def _medians(contenders: Mapping[str, Callable[[], object]], rounds: int) -> dict[str, float]:
    """Microseconds per call. Each round gives every contender about a millisecond."""
    repeats: dict[str, int] = {}
    for name, contender in contenders.items():
        start = time.perf_counter()
        contender()
        repeats[name] = max(1, int(0.001 / (time.perf_counter() - start)))
    taken: dict[str, list[float]] = {name: [] for name in contenders}
    for _ in range(rounds):
        for name, contender in contenders.items():
            start = time.perf_counter()
            for _ in range(repeats[name]):
                contender()
            taken[name].append((time.perf_counter() - start) / repeats[name] * 1e6)
    return {name: statistics.median(times) for name, times in taken.items()}


def _table(title: str, medians: dict[str, float], baseline: str) -> None:
    print(f"\n{title}")
    for name, median in medians.items():
        print(f"  {name:<58} {median:>9.1f} µs {medians[baseline] / median:>8.1f} ×")


def _report(kind: str, words: str, rounds: int) -> None:
    template = PercentTemplate(Content("Your order %order%", _page(words)))
    subject_page = template.content.html or ""
    rendered = template.render(_PARAMS)
    letter = _letter(rendered.subject, rendered.html or "", rendered.text)
    body = encode_body(letter.html, letter.text)
    finished = compose(letter).message
    places = len(_PLACE.findall(subject_page))

    def whole() -> bytes:
        mail = template.render(_PARAMS)
        written = _letter(mail.subject, mail.html or "", mail.text)
        message = compose(written).message
        check_finished(message, written)
        return message

    def substituted() -> str:
        return _PLACE.sub(lambda found: html.escape(_STRINGS[found[1]]), subject_page)

    def replaced() -> str:
        page = subject_page
        for name, value in _STRINGS.items():
            page = page.replace(f"%{name}%", html.escape(value))
        return page

    def peer() -> bytes:
        return _with_email_message(_letter(rendered.subject, substituted(), rendered.text))

    octets = len((letter.html or "").encode()) + len((letter.text or "").encode())
    print(f"\n== {kind}: {octets} octets of HTML and text, {places} places, {len(finished)} octets composed")
    rendering = {
        "render subject, HTML and text, escaped and checked": lambda: template.render(_PARAMS),
        "re.sub, HTML only": substituted,
        "str.replace, HTML only (expands values again)": replaced,
    }
    _table("Rendering (× faster than re.sub)", _medians(rendering, rounds), "re.sub, HTML only")
    composing = {
        "compose": lambda: compose(letter),
        "compose, body encoded once for many recipients": lambda: compose(letter, body, ()),
        "check_finished": lambda: check_finished(finished, letter),
        "email.mime (no display name)": lambda: _with_email_mime(letter),
        "EmailMessage": lambda: _with_email_message(letter),
    }
    _table("Composing (× faster than EmailMessage)", _medians(composing, rounds), "EmailMessage")
    both = {
        "render + compose + check_finished": whole,
        "re.sub + EmailMessage (text part given)": peer,
    }
    _table(
        "One template mail (× faster than the peer)",
        _medians(both, rounds),
        "re.sub + EmailMessage (text part given)",
    )


def main() -> None:
    """Prints medians and ratios for an ASCII, a mostly ASCII and a Chinese mail."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--rounds", type=int, default=100)
    rounds = parser.parse_args().rounds
    print(f"Python {platform.python_version()}, {rounds} rounds")
    _report("ASCII, 7bit", "green tea from Hangzhou, tin of 250 g", rounds)
    _report("Latin, quoted-printable", "grüner Tee aus Hangzhou, Dose à 250 g", rounds)
    _report("Chinese, base64", "杭州龙井绿茶，罐装二百五十克", rounds)


if __name__ == "__main__":
    main()
