"""What `postroom dev` shows: commands to paste, and every mail it caught."""

from __future__ import annotations

import email
import email.policy
import os
import shutil
import sys
from collections.abc import Iterator
from email.message import EmailMessage
from pathlib import Path

from rich.console import Group, RenderableType
from rich.panel import Panel
from rich.text import Text

from postroom_server.catcher import CaughtMail
from postroom_server.cli.aim import DEFAULT_TARGET
from postroom_server.cli.connection import DEV_PAIR_FILE, DEV_TOKEN_FILE
from postroom_server.cli.dev_contents import BIZ_KEY
from postroom_server.cli.display import console, facts, one_line
from postroom_server.settings import Settings
from postroom_server.store.opening import Address

CATCHER_PORT = 2525
_EXCERPT_LINES = 12
_EXCERPT_CHARACTERS = 1000
_METHOD = "postroom.v1.EmailService/SendEmail"
_REST_MAIL = (
    '{"type": "CUSTOM", "toAddress": ["you@example.com"], "subject": "Hello", "content": "It works.", '
    '"html": false, "verificationCode": false}'
)
# A form is urlencoded, and %name% would be read as one character and more.
_REST_TEMPLATE = (
    "-d invokeName=hello -d name=Hello -d templateType=0 "
    "--data-urlencode 'subject=Hello %name%' --data-urlencode 'html=<p>Hello %name%</p>'"
)
_MAIL = '{"to": ["you@example.com"], "subject": "Hello", "custom": {"text": "It works."}}'


def show_start(settings: Settings, grpc_port: int, http_port: int, catcher_port: int) -> None:
    """Tells where everything is and what to paste into a second terminal, from the same folder."""
    target = f"127.0.0.1:{grpc_port}"
    scheme = "https" if settings.http_tls_cert else "http"
    http = f"{scheme}://127.0.0.1:{http_port}" if http_port else ""
    out = console()
    out.print(
        Panel(
            facts(
                [
                    ("gRPC", target),
                    ("REST", f"{http}, described at {http}/docs" if http else "off"),
                    ("catcher", f"127.0.0.1:{catcher_port}{_instead(catcher_port)}"),
                    ("database", Address(settings.database_url).masked()),
                    ("token", DEV_TOKEN_FILE),
                ]
            ),
            title="Postroom is running",
            title_align="left",
            expand=False,
        )
    )
    # Printed bare and unwrapped, so that a terminal copies them whole.
    for title, commands in _commands(target, http):
        out.print(f"\n{title}")
        for command in commands:
            out.print(command, soft_wrap=True)
    out.print("\nEvery mail shows up here. Ctrl-C stops.\n")


def _instead(catcher_port: int) -> str:
    return "" if catcher_port == CATCHER_PORT else f", in place of {CATCHER_PORT}"


def _commands(target: str, http: str) -> Iterator[tuple[str, list[str]]]:
    aimed = "" if target == DEFAULT_TARGET else f" --target {target}"
    postroom, buf = _command("postroom"), _command("buf")
    bearer = f'-H "authorization: Bearer $(cat {DEV_TOKEN_FILE})"'
    yield (
        "Send an email:",
        [
            f"{postroom} send{aimed} --to you@example.com --subject Hello --text 'It works.'",
            f"{postroom} send{aimed} --to you@example.com --biz-key {BIZ_KEY} --param name=Ada",
            f"grpcurl -plaintext {bearer} -d '{_MAIL}' {target} {_METHOD}",
            f"{buf} curl --protocol grpc --http2-prior-knowledge {bearer} -d '{_MAIL}' http://{target}/{_METHOD}",
        ],
    )
    if http:
        yield (
            "Over REST, as clients of the two documented APIs do:",
            [
                f"curl {http}/api/v1/email {bearer} -H 'content-type: application/json' -d '{_REST_MAIL}'",
                f"curl {http}/apiv2/template/add -d @{DEV_PAIR_FILE} {_REST_TEMPLATE}",
            ],
        )
    yield (
        "See what became of it:",
        [
            f"{postroom} email list{aimed}",
            f"{postroom} email show{aimed} --last",
            f"{postroom} events tail{aimed} --from-start",
        ],
    )


def show_mail(mail: CaughtMail) -> None:
    """Shows one mail as its reader would see it."""
    content: RenderableType
    try:
        content = _as_read(mail)
    except Exception as error:
        content = Text(one_line(f"from {mail.sender} to {', '.join(mail.recipients)}; unreadable: {error}"))
    console().print(Panel(content, title="caught", title_align="left", expand=False))


def _as_read(mail: CaughtMail) -> Group:
    message = email.message_from_bytes(mail.message, policy=email.policy.default)
    attachments = [part.get_filename() or part.get_content_type() for part in message.iter_attachments()]
    header = facts(
        [
            ("from", message["From"]),
            ("to", message["To"]),
            ("cc", message["Cc"]),
            ("envelope", f"{mail.sender or '<>'} to {', '.join(mail.recipients)}"),
            ("subject", message["Subject"]),
            ("attached", ", ".join(attachments)),
            ("size", f"{len(mail.message)} bytes"),
        ]
    )
    return Group(header, Text("\n" + _excerpt(message)))


def _excerpt(message: EmailMessage) -> str:
    part = message.get_body(("plain", "html"))
    if part is None:
        return ""
    text = str(part.get_content())
    lines = text[:_EXCERPT_CHARACTERS].rstrip().splitlines()
    shown = [one_line(line) for line in lines[:_EXCERPT_LINES]]
    cut = len(lines) > _EXCERPT_LINES or len(text) > _EXCERPT_CHARACTERS
    return "\n".join([*shown, "…"] if cut else shown)


def _command(name: str) -> str:
    """How to call a command from this folder: by name when it is on PATH, else by its path beside Python."""
    beside = Path(sys.executable).with_name(name)
    found = shutil.which(name)
    if found and Path(found).resolve() == beside.resolve():
        return name
    return os.path.relpath(beside) if beside.exists() else name
