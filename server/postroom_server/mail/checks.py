"""The rules of a draft that need no database: every violation at once, addresses normalised.

Field paths are the contract's, so that a caller finds the field that is meant.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from postroom_server.clock import DAY, SECOND, Millis
from postroom_server.fetch import Rules
from postroom_server.mail.audience import check_audience
from postroom_server.mail.draft import CopyMode, CustomBody, Draft, TemplateBody
from postroom_server.mail.file_checks import check_files
from postroom_server.mail.limits import Limits
from postroom_server.mail.param_checks import PATH_CHARACTERS, params_as_json
from postroom_server.mail.suppression_override import check_override
from postroom_server.message import address, language
from postroom_server.message.header import check_header
from postroom_server.message.unsafe import check_text
from postroom_server.record import record
from postroom_server.refusals import Reason, Violation

_DEFAULT_RULES = Rules.of()
_BIZ_KEY = re.compile(r"[A-Z][A-Z0-9_]{0,63}")
_INVOKE_NAME = re.compile(r"[A-Za-z0-9_.-]{1,64}")
_LABEL_NAME = re.compile(r"[a-z0-9_.-]{1,63}")

_OUT_ID_CHARACTERS = 80
_REQUEST_ID_CHARACTERS = 255
_SUBJECT_CHARACTERS = 998
_NAME_CHARACTERS = 200
_LABEL_CHARACTERS = 256
_OUR_HEADERS = "x-postroom-"
_RECIPIENT_PARAMS = "template.recipient_params"


@record
class Checked:
    """A draft whose fields are sound. Addresses are normal forms; each stands once, in its first role."""

    draft: Draft
    to: tuple[str, ...]
    cc: tuple[str, ...]
    bcc: tuple[str, ...]
    from_address: str  # "" when the draft names none
    reply_to: tuple[str, ...]
    language: str  # "" or a BCP 47 tag
    params_json: str | None
    recipient_params: Mapping[str, Mapping[str, Any]]  # by normalised address
    # Wrong only since time has passed: refused when it is accepted, but not when it is replayed.
    overdue: tuple[Violation, ...] = ()

    @property
    def recipient_count(self) -> int:
        return len(self.to) + len(self.cc) + len(self.bcc)


def check(
    draft: Draft, limits: Limits, now: Millis, url_rules: Rules = _DEFAULT_RULES
) -> tuple[Checked | None, list[Violation]]:
    """Checks a draft. Returns the checked draft and no violations, or None and all of them."""
    found = list(draft.unreadable)
    to, cc, bcc = _recipients(draft, limits, found)
    from_address = ""
    if draft.from_address:
        from_address = _address("from_address", draft.from_address, found)
    reply_to: tuple[str, ...] = ()
    if len(draft.reply_to) > limits.reply_to:
        found.append(Violation("reply_to", f"at most {limits.reply_to} addresses"))
    elif draft.reply_to:
        reply_to = tuple(_address(f"reply_to[{i}]", text, found) for i, text in enumerate(draft.reply_to))
    _texts(draft, found)
    overdue = _times(draft, limits, now, found)
    _mapping_limits(draft, limits, found)
    found += check_files(draft.files, limits, url_rules)
    params_json, recipient_params = _body(draft, to, limits, found)
    check_override(draft, found)
    tag = _language(draft.language, found)
    if found:
        return None, [*found, *overdue]
    return (
        Checked(draft, to, cc, bcc, from_address, reply_to, tag, params_json, recipient_params, overdue),
        found,
    )


def _recipients(
    draft: Draft, limits: Limits, found: list[Violation]
) -> tuple[tuple[str, ...], tuple[str, ...], tuple[str, ...]]:
    total = len(draft.to) + len(draft.cc) + len(draft.bcc)
    if draft.audience is not None:
        found.extend(check_audience(draft.audience))
    elif total == 0:
        found.append(Violation("to", "name at least one recipient", Reason.NO_RECIPIENTS))
    most = limits.recipients_per_email
    too_many = [
        Violation(field, f"{len(given)} addresses; at most {most}")
        for field, given in (("to", draft.to), ("cc", draft.cc), ("bcc", draft.bcc))
        if len(given) > most
    ]
    if too_many:
        found.extend(too_many)
        return (), (), ()
    seen: set[str] = set()
    return (
        _addresses("to", draft.to, seen, found),
        _addresses("cc", draft.cc, seen, found),
        _addresses("bcc", draft.bcc, seen, found),
    )


def _addresses(field: str, given: tuple[str, ...], seen: set[str], found: list[Violation]) -> tuple[str, ...]:
    kept = []
    for i, text in enumerate(given):
        try:
            parsed = address.parse(text)
        except address.InvalidAddress as error:
            found.append(Violation(f"{field}[{i}]", str(error)))
            continue
        if parsed not in seen:
            seen.add(parsed)
            kept.append(parsed)
    return tuple(kept)


def _address(field: str, text: str, found: list[Violation]) -> str:
    try:
        return address.parse(text)
    except address.InvalidAddress as error:
        found.append(Violation(field, str(error)))
        return ""


def _texts(draft: Draft, found: list[Violation]) -> None:
    for field, text, most in (
        ("request_id", draft.request_id, _REQUEST_ID_CHARACTERS),
        ("out_id", draft.out_id, _OUT_ID_CHARACTERS),
        ("subject", draft.subject, _SUBJECT_CHARACTERS),
        ("from_name", draft.from_name, _NAME_CHARACTERS),
    ):
        if len(text) > most:
            found.append(Violation(field, f"{len(text)} characters; at most {most}"))
        elif text and (problem := check_text(text)):
            found.append(Violation(field, problem))
    if draft.biz_key and not _BIZ_KEY.fullmatch(draft.biz_key):
        found.append(Violation("biz_key", "must be upper-case letters, digits and underscores, at most 64"))


def _times(draft: Draft, limits: Limits, now: Millis, found: list[Violation]) -> tuple[Violation, ...]:
    if draft.schedule_time is not None and draft.schedule_time > now + limits.longest_schedule:
        days = limits.longest_schedule // DAY
        found.append(Violation("schedule_time", f"is more than {days} days away"))
    due = max(now, draft.schedule_time or now)
    if draft.expire_time is not None and draft.expire_time <= due:
        return (Violation("expire_time", "must be after the mail is due"),)
    return ()


def _mapping_limits(draft: Draft, limits: Limits, found: list[Violation]) -> None:
    # Of what is too much the single entries are not looked at: that would be work without bounds.
    if len(draft.labels) > limits.labels:
        found.append(Violation("labels", f"{len(draft.labels)} labels; at most {limits.labels}"))
    else:
        for name, value in draft.labels.items():
            if not _LABEL_NAME.fullmatch(name):
                found.append(Violation(_entry("labels", name), "a name is 1 to 63 of a-z, 0-9, _, . and -"))
            if len(value) > _LABEL_CHARACTERS or check_text(value):
                found.append(
                    Violation(_entry("labels", name), f"at most {_LABEL_CHARACTERS} printable characters")
                )
    if len(draft.headers) > limits.headers:
        found.append(Violation("headers", f"{len(draft.headers)} headers; at most {limits.headers}"))
    else:
        _headers(draft.headers, found)


def _headers(headers: Mapping[str, str], found: list[Violation]) -> None:
    seen: set[str] = set()
    for name, value in headers.items():
        lower = name.lower()
        if lower.startswith(_OUR_HEADERS):
            found.append(Violation(_entry("headers", name), "is not a header that callers may set"))
        elif problem := check_header(name, value):
            found.append(Violation(_entry("headers", name), problem))
        elif lower in seen:
            found.append(Violation(_entry("headers", name), "is given twice: names differ not by case"))
        seen.add(lower)


def _entry(field: str, key: str) -> str:
    """The path of one entry of a map. A key of any length makes a path that can be read."""
    return f"{field}[{key[:PATH_CHARACTERS]!r}]"


def _body(
    draft: Draft, to: tuple[str, ...], limits: Limits, found: list[Violation]
) -> tuple[str | None, Mapping[str, Mapping[str, Any]]]:
    _verification(draft, to, found)
    body = draft.body
    if isinstance(body, CustomBody):
        _custom(draft, body, limits, found)
        return None, {}
    if isinstance(body, TemplateBody):
        return _template(draft, body, to, limits, found)
    found.append(Violation("body", "either template or custom is required"))
    return None, {}


def _verification(draft: Draft, to: tuple[str, ...], found: list[Violation]) -> None:
    if not draft.has_verification:
        return
    if draft.audience is not None:
        found.append(Violation("audience", "a code goes to given addresses only"))
    elif not draft.to and (draft.cc or draft.bcc):
        found.append(Violation("to", "a code needs a To address", Reason.NO_RECIPIENTS))
    if not draft.biz_key and not (isinstance(draft.body, TemplateBody) and not draft.body.invoke_name):
        found.append(Violation("biz_key", "a code needs the purpose it is for", Reason.BIZ_KEY_REQUIRED))
    if draft.validity is not None and (not SECOND <= draft.validity <= DAY or draft.validity % SECOND):
        found.append(Violation("verification.validity", "1 second to 24 hours, in whole seconds"))
    # Spellings of one mailbox share what codes are bound to: of two only one would be valid, and a list of
    # spellings would fill one inbox with codes in a single call.
    if len({address.key(each) for each in to}) < len(to):
        found.append(Violation("to", "names one mailbox in two spellings; a code is sent to each but once"))


def _custom(draft: Draft, body: CustomBody, limits: Limits, found: list[Violation]) -> None:
    if not draft.subject:
        found.append(Violation("subject", "is required with a custom body"))
    if not body.html and not body.text:
        found.append(Violation("custom", "html or text is required"))
    for field, text in (("custom.html", body.html), ("custom.text", body.text)):
        if len(text) > limits.content_characters:
            found.append(Violation(field, f"{len(text)} characters; at most {limits.content_characters}"))
        if "\0" in text:
            found.append(Violation(field, "holds a NUL character", Reason.UNSAFE_CONTENT))


def _template(
    draft: Draft, body: TemplateBody, to: tuple[str, ...], limits: Limits, found: list[Violation]
) -> tuple[str | None, Mapping[str, Mapping[str, Any]]]:
    if body.invoke_name and not _INVOKE_NAME.fullmatch(body.invoke_name):
        found.append(Violation("template.invoke_name", "1 to 64 of A-Z, a-z, 0-9, _, . and -"))
    if not body.invoke_name and not draft.biz_key:
        found.append(
            Violation(
                "biz_key", "name the template, or the business key it is bound to", Reason.BIZ_KEY_REQUIRED
            )
        )
    params_json = params_as_json("template.params", body.params, limits, found)
    if not body.recipient_params:
        return params_json, {}
    if draft.audience is not None:
        found.append(Violation(_RECIPIENT_PARAMS, "an audience's members bring values of their own"))
        return params_json, {}
    if draft.copy_mode is CopyMode.SHARED and not draft.has_verification:
        found.append(
            Violation(_RECIPIENT_PARAMS, "one shared copy cannot differ per recipient; use SEPARATE")
        )
    return params_json, _recipient_params(draft, body, to, limits, found)


def _recipient_params(
    draft: Draft, body: TemplateBody, to: tuple[str, ...], limits: Limits, found: list[Violation]
) -> Mapping[str, Mapping[str, Any]]:
    count = len(body.recipient_params)
    if count > limits.recipients_per_email:
        found.append(
            Violation(_RECIPIENT_PARAMS, f"{count} addresses; at most {limits.recipients_per_email}")
        )
        return {}
    by_address: dict[str, Mapping[str, Any]] = {}
    named = frozenset(to)
    for text, params in body.recipient_params.items():
        field = _entry(_RECIPIENT_PARAMS, text)
        parsed = _address(field, text, found)
        params_as_json(field, params, limits, found)
        if not parsed:
            continue
        if parsed in by_address:
            found.append(Violation(field, "names the same recipient as another entry"))
        elif parsed not in named and (named or not draft.to):
            # Unless none of `to` could be read: then that is what is wrong.
            found.append(Violation(field, "is no To recipient"))
        by_address[parsed] = params
    return by_address


def _language(text: str, found: list[Violation]) -> str:
    if not text:
        return ""
    try:
        return language.normalise(text)
    except ValueError:
        found.append(Violation("language", "is not a language tag such as en or zh-CN"))
        return ""
