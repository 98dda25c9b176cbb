"""Mail servers as messages and back. Passwords only ever go one way."""

from __future__ import annotations

from postroom.v1 import attempt_pb2, mail_server_pb2, mail_server_service_pb2
from postroom_server.mail.server_form import AuthMechanism, ServerForm, TlsMode
from postroom_server.mail.servers import BreakerFacts, ServerRecord
from postroom_server.rpc.convert.enums import number_of, word_of
from postroom_server.rpc.convert.masks import paths_of
from postroom_server.rpc.convert.times import optional_stamp, stamp_of
from postroom_server.store.models import MailServerState

_TLS = "TLS_MODE_"
_AUTH = "AUTH_MECHANISM_"
_STATE = "MAIL_SERVER_STATE_"
_REPLY_CHARACTERS = 512
_NOT_CHANGED = frozenset({"id", "tenant_id", "has_password", "breaker", "create_time", "update_time"})


def server_form(message: mail_server_pb2.MailServer) -> ServerForm:
    tls_mode = word_of(mail_server_pb2.TlsMode, _TLS, message.tls_mode, "mail_server.tls_mode")
    auth = word_of(mail_server_pb2.AuthMechanism, _AUTH, message.auth_mechanism, "mail_server.auth_mechanism")
    state = word_of(mail_server_pb2.MailServerState, _STATE, message.state, "mail_server.state")
    return ServerForm(
        name=message.name,
        host=message.host,
        port=message.port,
        tls_mode=TlsMode(tls_mode) if tls_mode else None,
        auth_mechanism=AuthMechanism(auth) if auth else None,
        username=message.username,
        password=message.password,
        state=MailServerState(state) if state else None,
        priority=message.priority,
        weight=message.weight,
        max_connections=message.max_connections,
        messages_per_second=message.messages_per_second,
        allowed_senders=tuple(message.allowed_senders),
        from_address=message.from_address,
        from_name=message.from_name,
        subject_prefix=message.subject_prefix,
    )


def server_paths(request: mail_server_service_pb2.UpdateMailServerRequest) -> tuple[str, ...]:
    return paths_of(request.mail_server, request.update_mask, ignored=_NOT_CHANGED)


def server_message(server: ServerRecord, breaker: BreakerFacts | None) -> mail_server_pb2.MailServer:
    form = server.form
    return mail_server_pb2.MailServer(
        id=server.id,
        tenant_id=server.tenant_id,
        name=form.name,
        host=form.host,
        port=form.port,
        tls_mode=number_of(mail_server_pb2.TlsMode, _TLS, form.tls_mode or ""),
        auth_mechanism=number_of(mail_server_pb2.AuthMechanism, _AUTH, server.auth_in_force),
        username=form.username,
        has_password=server.has_password,
        state=number_of(mail_server_pb2.MailServerState, _STATE, form.state or ""),
        priority=form.priority,
        weight=form.weight,
        max_connections=form.max_connections,
        messages_per_second=form.messages_per_second,
        allowed_senders=form.allowed_senders,
        from_address=form.from_address,
        from_name=form.from_name,
        subject_prefix=form.subject_prefix,
        breaker=None if breaker is None else _breaker_message(breaker),
        create_time=stamp_of(server.create_time),
        update_time=stamp_of(server.update_time),
    )


def _breaker_message(breaker: BreakerFacts) -> mail_server_pb2.Breaker:
    reply = "".join(letter if letter.isprintable() else " " for letter in breaker.reply)
    return mail_server_pb2.Breaker(
        state=number_of(mail_server_pb2.BreakerState, "BREAKER_STATE_", breaker.state),
        failure_count=breaker.failure_count,
        reopen_time=optional_stamp(breaker.reopen_time),
        phase=number_of(attempt_pb2.SmtpPhase, "SMTP_PHASE_", breaker.phase),
        reply=reply[:_REPLY_CHARACTERS],
    )
