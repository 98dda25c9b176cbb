"""Plays case files: documented calls over HTTP and their answers, written down as TOML.

A file `cases/<dialect>/<subject>.toml` holds cases, and a case holds steps. Every case has a tenant of its
own, with tokens and a mail server (the catcher), on a server that it shares with others; it is played with
the dialects over LocalChannel and over a network channel, on SQLite and on PostgreSQL. All requests are bytes
on a real socket. Every answer must also be what `/openapi.json` says of it. To play some:

    pytest -n0 --all tests/gateway/cases/test_angusgm.py -k an_email_that_is_gone

A file:

    settings = {review_mode = "manual"}               # of the server, for the cases of this file
    headers = {Authorization = "Bearer ${token}"}     # of every request of this file

    [[case]]
    name = "an email that is gone is not found"       # unique in its file
    headers = {X-Lang = "en"}                         # on top of the file's; "" takes one away
    settings = {}                                     # on top of the file's
    server = false                                    # no mail server; default true
    tokens.reader = {scopes = ["read"]}               # more tokens; every scope but platform, unless told
    tokens.old = {tenant = "other", api_user = "old-${unique}", test = true}

    [[case.step]]
    request = "GET /api/v1/email/${id}?lang=en"       # method and target, as they are (absolute forms too)
    headers = {X-Request-Id = "r-1"}
    json = {…}            # or text = "…" as it is, or hex = "7b7d" for any bytes, or form = {…} urlencoded;
                          # json and form bring their Content-Type unless a header says otherwise
    status = 404          # default 200
    answer = {…}          # the whole JSON answer, with matchers; a string is read as JSON, to quote documents
    answer_headers = {XC-E-Key = "resource_not_found", Retry-After = "<absent>"}     # those named, no others
    answer_text = "<has:…>"                           # for what is not JSON
    save = {id = "data.id", again = "header:X-Request-Id"}    # ${id} from here on
    times = 5             # the step so often

    [[case.step]]         # a call of the stubs, to seed or to look
    call = "TemplateService.CreateTemplate"
    as = "token"          # the name of a token; this is the default
    message = {template = {invoke_name = "hello"}}    # protobuf JSON, field names of the contract
    answer = {…}          # what it names is compared, nothing else; int64 are strings, enums names
    refused = "TEMPLATE_EXISTS"                       # instead of an answer
    save = {template = "id"}

    [[case.step]]
    settle = "${id}"      # waits until this email is settled

    [[case.step]]         # waits for a mail whose envelope names `to`; each is taken once, in order
    save = {code = "text:([0-9]{6})"}                 # a field of the following, and a group of an expression
    [case.step.caught]    # all but `to` may be left out
    to = "a@example.com"
    sender = "…"          # the envelope's
    recipients = ["a@example.com"]
    subject = "…"
    from = "…"            # headers, decoded
    to_header = "…"
    cc_header = "<absent>"
    text = "<has:…>"
    html = "<has:…>"
    attachments = ["a.txt"]

    [[case.step]]
    quiet = "a@example.com"                           # no mail for it was caught that was not taken

Matchers stand in the place of a value: `<id>` a positive number as a string, `<integer>`, `<number>`,
`<bool>`, `<string>`, `<text>` a string that is not empty, `<datetime>` yyyy-MM-dd HH:mm:ss, `<null>`,
`<any>`, `<absent>` (the key must not be there), `<re:…>` a string that the expression matches in full,
`<has:…>` a string that holds this, `<count:3>` a list of so many. A table with the key `"..."` (any
value) may have more keys than are named; otherwise all keys must be. A list that ends with the string
`"..."` may go on.

Replaced in every string, keys included: `${token}` (bearer, every scope but platform), `${api_user}` and
`${api_key}` (a pair of the same scopes), `${other}`, `${other_user}` and `${other_key}` (the same for
another tenant), `${platform}` (the platform's, every scope), `${tenant}`, `${other_tenant}`, `${server}`
(the mail server's id; its name is "catcher", its default sender postroom@example.com), `${unique}`
(letters and digits, new in each case), the name of each of `tokens` and of what was saved,
`${date:+3600}` (yyyy-MM-dd HH:mm:ss, so many seconds from now, in Asia/Shanghai), `${utc:+3600}` (RFC
3339 with Z), `${repeat:200:x}` (x so often). `"${int:server}"` alone in a string becomes a number. What
has no name stays as it is written.
"""

from __future__ import annotations

import asyncio
import email.policy
import json
import re
import secrets
import urllib.parse
from collections.abc import Iterator
from email.message import EmailMessage
from typing import Any

from google.protobuf import json_format
from google.protobuf.message_factory import GetMessageClass

from gateway.matching import ABSENT, differences
from gateway.script import Case
from gateway.stage import EVERYTHING, Stage, new_server, new_tenant, new_token
from gateway.variables import Variables
from gateway.wire import Answer, fetch
from postroom_server.catcher import Catcher, CaughtMail
from postroom_server.mail.caller import Scope
from serving import METHODS, answer_of

PATIENCE = 20.0
_TYPES = {"json": "application/json", "form": "application/x-www-form-urlencoded"}


async def play(case: Case, stage: Stage) -> None:
    """Plays one case; the first step that goes otherwise fails it, with all that differs."""
    async with Catcher(lambda _: None) as catcher:
        player = _Player(case, stage, catcher)
        await stage.furnish(player.furnish)
        for number, step in enumerate(case.steps, 1):
            wrong = [wrong for _ in range(step.get("times", 1)) for wrong in await player.step(step)]
            assert not wrong, "\n".join([f"step {number} of {case.name!r} in {case.file}.toml:", *wrong])


class _Player:
    def __init__(self, case: Case, stage: Stage, catcher: Catcher) -> None:
        self._case, self._stage, self._catcher = case, stage, catcher
        self._taken: list[CaughtMail] = []
        # Wrong tokens are counted by address: each case calls from one of its own.
        self._address = f"10.{'.'.join(str(secrets.randbelow(256)) for _ in range(3))}"
        self._variables = Variables({"unique": secrets.token_hex(6)})

    def furnish(self) -> None:
        known = self._variables
        tenants = {"own": new_tenant(), "other": new_tenant()}
        known.save("tenant", tenants["own"])
        known.save("other_tenant", tenants["other"])
        for prefix, tenant, bearer in (("api", "own", "token"), ("other", "other", "other")):
            user = f"{prefix}-{known.of('${unique}')}"
            known.save(f"{prefix}_user", user)
            known.save(bearer, new_token(tenants[tenant], "everything"))
            known.save(f"{prefix}_key", new_token(tenants[tenant], "pair", api_user=user))
        known.save("platform", new_token(0, f"platform-{known.of('${unique}')}", scopes=Scope))
        for name, wanted in self._case.tokens.items():
            form = {**known.of(wanted)}
            tenant_id = tenants[form.pop("tenant", "own")]
            scopes = [Scope(scope) for scope in form.pop("scopes", EVERYTHING)]
            known.save(name, new_token(tenant_id, name, scopes=scopes, **form))
        if self._case.has_server:
            known.save("server", new_server(tenants["own"], self._catcher))

    async def step(self, step: dict[str, Any]) -> list[str]:
        if "request" in step:
            return await self._request(step)
        if "call" in step:
            return await self._call(step)
        if "settle" in step:
            return await self._settle(self._variables.of(step["settle"]))
        if "caught" in step:
            return await self._take(step)
        address = self._variables.of(step["quiet"])
        return [f"a mail was caught: {_shown(mail)}" for mail in self._waiting(address)]

    async def _request(self, step: dict[str, Any]) -> list[str]:
        known = self._variables
        method, _, target = known.of(step["request"]).partition(" ")
        kind, body = self._body(step)
        headers = {**self._case.headers, **step.get("headers", {})}
        if kind in _TYPES and not any(name.lower() == "content-type" for name in headers):
            headers["Content-Type"] = _TYPES[kind]
        headers = {"X-Forwarded-For": self._address, **headers}
        sent = [(name, value) for name, value in known.of(headers).items() if value != ""]
        answer = await fetch(self._stage.http_port, method, target, sent, body)
        wrong = list(self._differences(step, method, target, answer))
        if wrong:
            return [*wrong, f"the whole answer: {answer.status} {answer.body.decode(errors='replace')}"]
        for name, source in step.get("save", {}).items():
            place, _, header = source.partition(":")
            known.save(name, answer.headers[header.lower()] if header else _at(answer.json, place))
        return []

    def _body(self, step: dict[str, Any]) -> tuple[str, bytes]:
        known = self._variables
        if "json" in step:
            return "json", json.dumps(known.of(step["json"]), ensure_ascii=False).encode()
        if "form" in step:
            return "form", urllib.parse.urlencode(known.of(step["form"])).encode()
        if "hex" in step:
            return "hex", bytes.fromhex(step["hex"])
        return "text", known.of(step.get("text", "")).encode()

    def _differences(self, step: dict[str, Any], method: str, target: str, answer: Answer) -> Iterator[str]:
        known = self._variables
        if answer.status != step.get("status", 200):
            yield f"expected status {step.get('status', 200)}, got {answer.status}"
        for name, value in known.of(step.get("answer_headers", {})).items():
            if value == ABSENT and name.lower() not in answer.headers:
                continue
            yield from differences(value, answer.headers.get(name.lower()), f"header {name}")
        if "answer" in step:
            expected = step["answer"]
            if isinstance(expected, str) and not expected.startswith("<"):
                expected = json.loads(expected)
            try:
                yield from differences(known.of(expected), answer.json)
            except ValueError:
                yield "the answer is not JSON"
        if "answer_text" in step:
            yield from differences(known.of(step["answer_text"]), answer.text)
        yield from self._stage.truth.lies(method, target, answer)

    async def _call(self, step: dict[str, Any]) -> list[str]:
        known = self._variables
        described = METHODS[step["call"]]
        message = GetMessageClass(described.input_type)()
        json_format.ParseDict(known.of(step.get("message", {})), message)
        secret = known.of(f"${{{step.get('as', 'token')}}}")
        told = await answer_of(self._stage.channel, described, secret, message.SerializeToString())
        if told.reason != step.get("refused", "") or (told.code != "OK" and not told.reason):
            return [f"{step['call']}: expected {step.get('refused', 'OK')}, got {told}"]
        if told.code != "OK":
            return []
        answer = json_format.MessageToDict(
            told.message, preserving_proto_field_name=True, always_print_fields_with_no_presence=True
        )
        for name, place in step.get("save", {}).items():
            known.save(name, _at(answer, place))
        return list(differences(known.of(step.get("answer", {})), answer, partly=True))

    async def _settle(self, email_id: str) -> list[str]:
        described, secret = METHODS["EmailService.GetEmail"], self._variables.of("${token}")
        end = asyncio.get_running_loop().time() + PATIENCE
        while True:
            told = await answer_of(self._stage.channel, described, secret, {"id": int(email_id)})
            if told.message.email.state != 1:  # EMAIL_STATE_PENDING
                return []
            if asyncio.get_running_loop().time() > end:
                return [f"email {email_id} is not settled"]
            await asyncio.sleep(0.01)

    async def _take(self, step: dict[str, Any]) -> list[str]:
        expected = self._variables.of(step["caught"])
        end = asyncio.get_running_loop().time() + PATIENCE
        while not (waiting := self._waiting(expected["to"])):
            if asyncio.get_running_loop().time() > end:
                return [f"no mail for {expected['to']} was caught"]
            await asyncio.sleep(0.01)
        mail = waiting[0]
        self._taken.append(mail)
        found = _fields(mail)
        for name, source in step.get("save", {}).items():
            field, _, expression = source.partition(":")
            matched = re.search(expression, str(found.get(field, "")))
            if matched is None:
                return [f"{field} does not hold {expression}: {found}"]
            self._variables.save(name, matched[1])
        return list(differences({**expected, "...": True}, {**found, "to": expected["to"]}))

    def _waiting(self, address: str) -> list[CaughtMail]:
        # By identity: two mails may well have the same bytes.
        taken = {id(mail) for mail in self._taken}
        return [m for m in self._catcher.mails if id(m) not in taken and address in m.recipients]


def _fields(mail: CaughtMail) -> dict[str, Any]:
    message = email.message_from_bytes(mail.message, policy=email.policy.default)
    assert isinstance(message, EmailMessage)
    fields: dict[str, Any] = {"sender": mail.sender, "recipients": list(mail.recipients)}
    for field, header in (
        ("subject", "Subject"), ("from", "From"), ("to_header", "To"), ("cc_header", "Cc"),
    ):  # fmt: skip
        if message[header] is not None:
            fields[field] = str(message[header])
    for field, kind in (("text", "plain"), ("html", "html")):
        part = message.get_body((kind,))
        if part is not None:
            fields[field] = part.get_content().replace("\r\n", "\n")
    attached = [part.get_filename() or "" for part in message.iter_attachments()]
    return {**fields, "attachments": attached} if attached else fields


def _shown(mail: CaughtMail) -> str:
    return f"{_fields(mail)}"


def _at(answer: Any, place: str) -> Any:
    """`data.list.0.id`."""
    for name in place.split("."):
        answer = answer[int(name)] if isinstance(answer, list) else answer[name]
    return answer
