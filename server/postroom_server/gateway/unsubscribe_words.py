"""What the page behind an unsubscribe link says, in English and Chinese, and which of them to whom."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator


@dataclasses.dataclass(frozen=True, slots=True)
class Section:
    """`{address}` and `{sender}` in the lines stand for the reader's masked address and who wrote."""

    title: str
    lines: tuple[str, ...]
    button: str = ""


@dataclasses.dataclass(frozen=True, slots=True)
class Words:
    language: str  # BCP 47
    this_sender: str  # where nobody knows any more who it was
    ask: Section
    done: Section
    unknown: Section
    misunderstood: Section
    later: Section


ENGLISH = Words(
    language="en",
    this_sender="this sender",
    ask=Section(
        "Unsubscribe?",
        (
            "{address} will get no more mailings from {sender}.",
            "Mail that is meant for you alone, such as codes and receipts, still comes.",
        ),
        "Unsubscribe",
    ),
    done=Section(
        "Unsubscribed",
        (
            "{address} gets no more mailings from {sender}.",
            "A mail that was on its way already may still arrive. You can close this page.",
        ),
    ),
    unknown=Section(
        "This link does not work",
        ("It may have been cut off or changed on its way. Please open it from the mail itself.",),
    ),
    misunderstood=Section(
        "Nothing was changed",
        ("Please open the link from the mail, and use the button on the page.",),
    ),
    later=Section("Please try again later", ("Nothing was changed. The link keeps working.",)),
)

CHINESE = Words(
    language="zh-CN",
    this_sender="该发件人",
    ask=Section(
        "确认退订？",
        (
            "{address} 将不再收到 {sender} 的群发邮件。",
            "专门发给您的邮件（例如验证码和收据）不受影响。",
        ),
        "退订",
    ),
    done=Section(
        "已退订",
        (
            "{address} 不会再收到 {sender} 的群发邮件。",
            "已在途中的邮件可能仍会送达。您可以关闭此页面。",
        ),
    ),
    unknown=Section("链接无效", ("链接可能不完整或已被改动，请从原邮件中重新打开。",)),
    misunderstood=Section("未作任何更改", ("请从邮件中打开链接，并使用页面上的按钮。",)),
    later=Section("请稍后再试", ("未作任何更改，链接仍然有效。",)),
)

_BY_LANGUAGE = {"en": ENGLISH, "zh": CHINESE}


def words_for(mail_language: str, accept_language: str) -> Words:
    """By the language of the mail, which its reader reads, else by Accept-Language, else English."""
    for tag in (mail_language, *_accepted(accept_language)):
        words = _BY_LANGUAGE.get(tag.partition("-")[0].strip().lower())
        if words is not None:
            return words
    return ENGLISH


def _accepted(header: str) -> Iterator[str]:
    """The tags of Accept-Language (RFC 9110 §12.5.4), most wanted first; what is malformed comes last."""
    weighted: list[tuple[float, str]] = []
    for item in header[:1000].split(","):
        tag, _, parameter = item.partition(";")
        weighted.append((_weight(parameter), tag.strip()))
    # Sorting keeps the order of equals.
    yield from (tag for weight, tag in sorted(weighted, key=lambda pair: -pair[0]) if weight > 0)


def _weight(parameter: str) -> float:
    name, _, value = parameter.partition("=")
    if name.strip().lower() != "q":
        return 1.0
    try:
        return min(max(float(value), 0.0), 1.0)
    except ValueError:
        return 0.001
