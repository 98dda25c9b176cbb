"""Writes the pages of docs/reference/, or with --check tells which differ from what it would write."""

from __future__ import annotations

import argparse
import re
import sys
import textwrap
from collections.abc import Iterator
from pathlib import Path

import click
from pydantic import SecretStr

from postroom_server.cli import main as postroom
from postroom_server.settings import Settings

ROOT = Path(__file__).resolve().parent.parent
PAGES = ROOT / "docs" / "reference"
REASONS = ROOT / "protos" / "postroom" / "v1" / "error_reason.proto"
NOTE = "<!-- Written by tools/reference.py; edit its sources instead. -->"


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--check", action="store_true", help="write nothing; exit 1 when files differ")
    check = parser.parse_args().check
    stale = 0
    for name, lines in (("settings.md", settings()), ("cli.md", commands()), ("errors.md", errors())):
        page, text = PAGES / name, "\n".join([NOTE, "", *lines, ""])
        if page.exists() and page.read_text(encoding="utf-8") == text:
            continue
        stale += 1
        if check:
            print(f"{page.relative_to(ROOT)} is not what its sources say", file=sys.stderr)
        else:
            page.parent.mkdir(parents=True, exist_ok=True)
            page.write_text(text, encoding="utf-8")
    if check and stale:
        print("run: make generate", file=sys.stderr)
    return 1 if check and stale else 0


def settings() -> Iterator[str]:
    yield from (
        "# Settings",
        "",
        _paragraph(
            "Defaults, then `postroom.toml` in the working folder (or the file that `--config` or "
            "`POSTROOM_CONFIG` names), then the environment, then flags; the later wins. `postroom "
            "settings` prints what is in force and where each value comes from. In the environment a "
            "name is in capitals with `POSTROOM_` before it; as a flag it has dashes: `poll_ms` is "
            "`POSTROOM_POLL_MS` and `--poll-ms`. Lists are separated by commas outside the file. "
            "`data_key` and `gateway_token` have no flag, because command lines are readable by every user "
            "of a machine."
        ),
        "",
        "| setting | default | meaning |",
        "| --- | --- | --- |",
    )
    for name, field in Settings.model_fields.items():
        yield f"| `{name}` | {_default(name)} | {_cell(field.description or '')} |"


def _default(name: str) -> str:
    field = Settings.model_fields[name]
    value = field.default
    if field.default_factory is not None:
        return "(see there)"
    if isinstance(value, SecretStr) or value in ("", None, ()):
        return ""
    return f"`{str(value).lower() if isinstance(value, bool) else value}`"


def commands() -> Iterator[str]:
    yield from (
        "# Commands",
        "",
        _paragraph(
            "Commands are gRPC clients, except those that serve, and `token`, `db` and `settings`, which "
            "open the database beside a running server. A command that fails prints one line that begins "
            "with `postroom:` and exits with 1; wrong usage exits with 2. Words on the command line may be "
            "`@file`, for a file's content, or `-`, for standard input, where the option says so."
        ),
    )
    yield from _connection_options()
    yield from _commands(postroom, "postroom")


CLIENT_OPTIONS = (
    "--target",
    "--token",
    "--token-file",
    "--tls-ca",
    "--tls-cert",
    "--tls-key",
    "--tls",
    "--plaintext",
)


def _connection_options() -> Iterator[str]:
    yield from ("", "## Options of every client", "", "| option | meaning |", "| --- | --- |")
    send = postroom.commands["send"]
    yield from (_option(option) for option in send.params if option.opts[0] in CLIENT_OPTIONS)


def _commands(command: click.Command, path: str) -> Iterator[str]:
    if isinstance(command, click.Group):
        for name, child in command.commands.items():
            yield from _commands(child, f"{path} {name}")
        return
    arguments = [param for param in command.params if isinstance(param, click.Argument)]
    usage = " ".join(
        [path, *(param.make_metavar(click.Context(command)) for param in arguments), "[options]"]
    )
    yield from ("", f"## {path}", "", f"`{usage}`", "")
    yield re.sub(r"\s*\n\s*", " ", command.help or "")
    settings_flags = {name.replace("_", "-") for name in Settings.model_fields} | {"config"}
    # A gateway has a target, too, and no token: it is no client of this kind.
    shared = CLIENT_OPTIONS if any(param.name == "token" for param in command.params) else ()
    own = [
        param
        for param in command.params
        if isinstance(param, click.Option)
        and param.opts[0] not in shared
        and param.opts[0].removeprefix("--") not in settings_flags
    ]
    if own:
        yield from ("", "| option | meaning |", "| --- | --- |")
        yield from map(_option, own)
    flags = [param.opts[0] for param in command.params if param.opts[0].removeprefix("--") in settings_flags]
    if "--database-url" not in flags and flags:
        names = ", ".join(f"`{flag}`" for flag in flags)
        yield from ("", _paragraph(f"These [settings](settings.md) are options, too: {names}."))
    elif len(flags) > 10:
        yield from ("", "Every [setting](settings.md) is an option, too, and so is `--config`.")
    elif flags:
        yield from ("", f"Which database is meant: {', '.join(f'`{flag}`' for flag in sorted(flags))}.")


def _option(option: click.Parameter) -> str:
    assert isinstance(option, click.Option)
    names = " or ".join(f"`{name}`" for name in (*option.opts, *option.secondary_opts))
    more = f" Variable: `{option.envvar}`." if option.envvar else ""
    if option.show_default and option.default is not None:
        shown = option.default if isinstance(option.default, list | tuple) else [option.default]
        more += f" Default: {', '.join(f'`{value}`' for value in shown)}."
    if isinstance(option.type, click.Choice):
        more += f" One of {', '.join(f'`{choice}`' for choice in option.type.choices)}."
    return f"| {names} | {_cell(option.help or '')}{more} |"


def errors() -> Iterator[str]:
    yield from (
        "# Errors",
        "",
        _paragraph(
            "A refused call ends with a canonical code and a `google.rpc.ErrorInfo` whose `domain` is "
            "`postroom` and whose `reason` is one of these words. `INVALID_ARGUMENT` also carries a "
            "`google.rpc.BadRequest` with every violation at once; where waiting helps there is a "
            "`google.rpc.RetryInfo`. Refused items of a batch carry the same in a `Refusal`. Nothing "
            "is stored by a refused call. Beside these, `DEADLINE_EXCEEDED`, `CANCELLED` and "
            "`UNIMPLEMENTED` mean what they mean everywhere, and `UNAVAILABLE` without details means "
            "that nobody answered."
        ),
        "",
        "| reason | code | when |",
        "| --- | --- | --- |",
    )
    comment: list[str] = []
    for line in REASONS.read_text(encoding="utf-8").splitlines():
        words = line.strip()
        if words.startswith("//"):
            comment.append(words.removeprefix("//").strip())
            continue
        found = re.fullmatch(r"ERROR_REASON_(\w+) = [1-9]\d*;", words)
        if found:
            code, _, meaning = " ".join(comment).partition(": ")
            yield f"| `{found[1]}` | `{code}` | {_cell(meaning[:1].upper() + meaning[1:])} |"
        comment = []


def _paragraph(text: str) -> str:
    return textwrap.fill(text, 108, break_long_words=False, break_on_hyphens=False)


def _cell(text: str) -> str:
    return text.replace("|", "\\|")


if __name__ == "__main__":
    sys.exit(main())
