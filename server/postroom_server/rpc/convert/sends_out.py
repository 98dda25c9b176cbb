"""Answers to the sending methods."""

from __future__ import annotations

from collections.abc import Sequence

from postroom.v1 import email_service_pb2
from postroom_server.delivery.attempts import Settlement
from postroom_server.delivery.verdict import Outcome as AttemptOutcome
from postroom_server.mail.accept import Accepted, Outcome
from postroom_server.mail.preview import Preview
from postroom_server.refusals import Refusal
from postroom_server.rpc.convert.refusal_out import refusal_message

_REFUSALS_BYTES = 3 << 20


def accepted_message(accepted: Accepted) -> email_service_pb2.SendEmailResponse:
    return email_service_pb2.SendEmailResponse(
        id=accepted.id, replayed=accepted.replayed, suppressed_addresses=accepted.suppressed
    )


def batch_message(outcomes: Sequence[Outcome]) -> email_service_pb2.BatchSendEmailsResponse:
    """All results. Refusals share 3 MiB evenly: an answer too big to be read would hide what was accepted."""
    room = _REFUSALS_BYTES // max(1, len(outcomes))
    return email_service_pb2.BatchSendEmailsResponse(results=[_result(one, room) for one in outcomes])


def _result(outcome: Outcome, room: int) -> email_service_pb2.BatchSendEmailsResult:
    if isinstance(outcome, Refusal):
        return email_service_pb2.BatchSendEmailsResult(refusal=refusal_message(outcome, room))
    accepted = email_service_pb2.AcceptedEmail(
        id=outcome.id, replayed=outcome.replayed, suppressed_addresses=outcome.suppressed
    )
    return email_service_pb2.BatchSendEmailsResult(accepted=accepted)


def preview_message(shown: Preview) -> email_service_pb2.SendEmailResponse:
    return email_service_pb2.SendEmailResponse(
        preview=email_service_pb2.EmailPreview(
            copies=[
                email_service_pb2.PreviewCopy(recipients=copy.recipients, message=copy.message)
                for copy in shown.copies
            ],
            copy_count=shown.copy_count,
            template_language=shown.template_language,
            template_version=shown.template_version,
        ),
        suppressed_addresses=shown.suppressed,
    )


def trial_message(email_id: int, settlement: Settlement) -> email_service_pb2.SendTestEmailResponse:
    verdict, transaction = settlement.verdict, settlement.transaction
    ok = verdict.outcome is AttemptOutcome.DELIVERED and not verdict.refused_count
    if transaction is None:
        return email_service_pb2.SendTestEmailResponse(ok=ok, email_id=email_id)
    refused = next((reply for reply in transaction.replies if reply and not reply.is_positive), None)
    reply = transaction.final if ok or refused is None else refused
    return email_service_pb2.SendTestEmailResponse(
        ok=ok,
        phase=f"SMTP_PHASE_{transaction.phase.value}",
        code=reply.code if reply else 0,
        enhanced_code=reply.enhanced if reply else "",
        reply=reply.text if reply else transaction.error,
        email_id=email_id,
    )
