"""Shows the default templates to those who work on them: an HTML and a text file for each language of each,
and with --screenshots what Chromium makes of them on phones and desktops, in light and dark mode."""

from __future__ import annotations

import argparse
import base64
import html
import itertools
import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from postroom_server.mail.compiled_content import compile_content
from postroom_server.mail.default_templates.library import default_templates
from postroom_server.message.template import Rendered

BROWSERS = ("chromium", "chromium-browser", "google-chrome")
WIDTHS = (360, 1200)
SCHEMES = ("light", "dark")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("directory", type=Path, help="where the files go")
    parser.add_argument("--only", default="", help="a part of the names of the templates wanted")
    parser.add_argument("--bare", action="store_true", help="give the required variables only")
    parser.add_argument("--screenshots", action="store_true", help="needs Chromium on the PATH")
    asked = parser.parse_args()
    asked.directory.mkdir(parents=True, exist_ok=True)
    pages = list(written(asked.directory, asked.only, bare=asked.bare))
    if asked.screenshots:
        browser = next(filter(None, map(shutil.which, BROWSERS)), None)
        if browser is None:
            print(f"none of {', '.join(BROWSERS)} is installed", file=sys.stderr)
            return 1
        with chromium(browser) as tab:
            for page, width, scheme in itertools.product(pages, WIDTHS, SCHEMES):
                page.with_suffix(f".{width}.{scheme}.png").write_bytes(tab.screenshot(page, width, scheme))
    index(asked.directory, pages, screenshots=asked.screenshots)
    print(asked.directory / "index.html")
    return 0


def written(directory: Path, only: str, *, bare: bool) -> Iterator[Path]:
    """Renders the templates with their samples, and yields the HTML files."""
    for form in (default.form for default in default_templates() if only in default.form.invoke_name):
        samples = dict(form.content.sample_params or {})
        if bare:
            samples = {v.name: samples[v.name] for v in form.content.variables if v.required}
        for language, compiled in compile_content(form.content).items():
            rendered = compiled.render(samples)
            page = directory / f"{form.invoke_name}.{language}.html"
            page.write_text(rendered.html or "", encoding="utf-8")
            page.with_suffix(".txt").write_text(text_file(rendered), encoding="utf-8")
            yield page


def text_file(rendered: Rendered) -> str:
    return f"Subject: {rendered.subject}\n\n{rendered.text}\n"


def index(directory: Path, pages: list[Path], *, screenshots: bool) -> None:
    """A page with everything on it."""
    shown = []
    for page in pages:
        text = html.escape(page.with_suffix(".txt").read_text(encoding="utf-8"))
        shots = [
            f'<img loading="lazy" width="{width // 2 if width > 600 else width}" alt="{width} px, {scheme}" '
            f'src="{page.stem}.{width}.{scheme}.png">'
            for width, scheme in itertools.product(WIDTHS, SCHEMES)
            if screenshots
        ]
        shown.append(f'<h2><a href="{page.name}">{page.stem}</a></h2>{" ".join(shots)}<pre>{text}</pre>')
    body = "\n".join(shown)
    (directory / "index.html").write_text(
        f'<!DOCTYPE html><meta charset="utf-8"><title>Default templates</title>'
        f"<style>body{{font-family:sans-serif;background:#888}}img{{vertical-align:top}}"
        f"pre{{background:#fff;padding:1em;white-space:pre-wrap}}</style>\n{body}\n",
        encoding="utf-8",
    )


class Tab:
    """A tab of a browser, steered by the DevTools protocol over two pipes: a JSON object, then a NUL."""

    def __init__(self, commands: int, answers: int) -> None:
        self._commands, self._answers = commands, answers
        self._numbers = itertools.count(1)
        self._received = b""
        self._session: str | None = None
        target = self._call("Target.createTarget", url="about:blank")["targetId"]
        self._session = self._call("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        self._call("Page.enable")

    def screenshot(self, page: Path, width: int, scheme: str) -> bytes:
        """The whole page as PNG. A width below 600 px is a phone's."""
        phone = width < 600
        self._measure(width, 640, phone)
        self._call("Emulation.setEmulatedMedia", features=[{"name": "prefers-color-scheme", "value": scheme}])
        self._call("Page.navigate", url=page.resolve().as_uri())
        while self._receive().get("method") != "Page.loadEventFired":
            pass
        height = self._call("Page.getLayoutMetrics")["cssContentSize"]["height"]
        self._measure(width, max(640, int(height)), phone)
        return base64.b64decode(self._call("Page.captureScreenshot", format="png")["data"])

    def _measure(self, width: int, height: int, phone: bool) -> None:
        self._call(
            "Emulation.setDeviceMetricsOverride",
            width=width,
            height=height,
            deviceScaleFactor=2 if phone else 1,
            mobile=phone,
        )

    def _call(self, method: str, **params: Any) -> dict[str, Any]:
        number = next(self._numbers)
        message: dict[str, Any] = {"id": number, "method": method, "params": params}
        if self._session:
            message["sessionId"] = self._session
        os.write(self._commands, json.dumps(message).encode() + b"\0")
        while (answer := self._receive()).get("id") != number:
            pass
        if "error" in answer:
            raise RuntimeError(f"{method}: {answer['error']['message']}")
        result: dict[str, Any] = answer["result"]
        return result

    def _receive(self) -> dict[str, Any]:
        while b"\0" not in self._received:
            chunk = os.read(self._answers, 1 << 20)
            if not chunk:
                raise RuntimeError("the browser ended")
            self._received += chunk
        first, _, self._received = self._received.partition(b"\0")
        message: dict[str, Any] = json.loads(first)
        return message


@contextmanager
def chromium(browser: str) -> Iterator[Tab]:
    """A browser with a profile of its own, for as long as the context lasts."""
    their_commands, commands = os.pipe()
    answers, their_answers = os.pipe()
    # A shell moves the pipes to where the browser looks for them: it reads from 3 and writes to 4.
    start = f'exec "$0" "$@" 3<&{their_commands} 4>&{their_answers}'
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as profile:
        options = ["--headless", "--disable-gpu", "--disable-background-networking", "--hide-scrollbars"]
        options += [f"--user-data-dir={profile}", "--remote-debugging-pipe"]
        if os.geteuid() == 0:
            options.append("--no-sandbox")  # it cannot build one as root
        process = subprocess.Popen(
            ["/bin/bash", "-c", start, browser, *options],
            pass_fds=(their_commands, their_answers),
            stderr=subprocess.DEVNULL,
        )
        os.close(their_commands)
        os.close(their_answers)
        try:
            yield Tab(commands, answers)
        finally:
            os.close(commands)  # the browser ends with its pipe
            os.close(answers)
            try:
                process.wait(10)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


if __name__ == "__main__":
    sys.exit(main())
