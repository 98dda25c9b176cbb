"""A verification code in a body of the caller's own: put in its place, or on a line of its own."""

from __future__ import annotations

import re

NAME = "verificationCode"
PLACE = f"%{NAME}%"
_LABELS = {"zh": "验证码"}
_LABEL = "Verification code"
# Comments are read as well, so that what ends a body inside of one is not taken for its end.
_END_OF_BODY = re.compile(r"<!--.*?(?:-->|\Z)|(</body\s*>)", re.IGNORECASE | re.DOTALL)


def fill_subject(subject: str, code: str) -> str:
    return subject.replace(PLACE, code)


def fill_body(html: str | None, text: str | None, code: str, language: str) -> tuple[str | None, str | None]:
    """Each part with the code; a part that has no place for it gets a line, in the mail's language."""
    label = _LABELS.get(language.partition("-")[0].lower(), _LABEL)
    colon = "：" if label != _LABEL else ": "
    return (
        None if html is None else _fill_html(html, code, f"{label}{colon}"),
        None if text is None else _fill_text(text, code, f"{label}{colon}"),
    )


def _fill_html(html: str, code: str, label: str) -> str:
    if PLACE in html:
        return html.replace(PLACE, code)
    line = f"<p>{label}<strong>{code}</strong></p>"
    ends = [found.start() for found in _END_OF_BODY.finditer(html) if found[1]]
    at = ends[-1] if ends else len(html)
    return html[:at] + line + html[at:]


def _fill_text(text: str, code: str, label: str) -> str:
    if PLACE in text:
        return text.replace(PLACE, code)
    return f"{text.rstrip()}\n\n{label}{code}\n" if text.strip() else f"{label}{code}\n"
