"""The page behind an unsubscribe link: a heading, a few lines, a button. No script, nothing from outside."""

from __future__ import annotations

import base64
import hashlib
from html import escape

from postroom_server.gateway.unsubscribe_words import Section, Words

_STYLE = """
:root { color-scheme: light dark; }
body { font: 1.0625rem/1.6 system-ui, sans-serif; margin: 0; padding: 1.25rem; }
main { max-width: 34rem; margin: 8vh auto 0; overflow-wrap: anywhere; }
h1 { font-size: 1.5rem; line-height: 1.3; margin: 0 0 1rem; }
bdi { font-weight: 600; }
button { font: inherit; font-weight: 600; min-height: 3rem; padding: .5rem 1.5rem; margin: .5rem 0 0;
  border: 0; border-radius: .5rem; background: #0b57d0; color: #fff; cursor: pointer; }
button:focus-visible { outline: 3px solid; outline-offset: 3px; }
@media (max-width: 30rem) { main { margin-top: 1rem; } button { width: 100%; } }
"""

CONTENT_SECURITY_POLICY = (
    "default-src 'none'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'; style-src 'sha256-"
    + base64.b64encode(hashlib.sha256(_STYLE.encode()).digest()).decode()
    + "'"
)


def page(words: Words, section: Section, *, address: str = "", sender: str = "") -> str:
    """The whole page. `address` and `sender` are put in as text, with a direction of their own."""
    named = {"address": _text(address), "sender": _text(sender) if sender else escape(words.this_sender)}
    return "".join(
        (
            f'<!doctype html><html lang="{words.language}"><head><meta charset="utf-8">',
            '<meta name="viewport" content="width=device-width, initial-scale=1">',
            '<meta name="robots" content="noindex, nofollow">',
            f"<title>{escape(section.title)}</title><style>{_STYLE}</style></head>",
            f"<body><main><h1>{escape(section.title)}</h1>",
            *(f"<p>{escape(line).format_map(named)}</p>" for line in section.lines),
            _form(section.button) if section.button else "",
            "</main></body></html>",
        )
    )


def _text(value: str) -> str:
    return f"<bdi>{escape(value)}</bdi>"


def _form(label: str) -> str:
    # Without an action it goes to the page's own address, whatever path a proxy has put before it.
    return (
        '<form method="post"><input type="hidden" name="List-Unsubscribe" value="One-Click">'
        f'<button type="submit">{escape(label)}</button></form>'
    )
