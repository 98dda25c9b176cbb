"""Sends an email and waits until it is settled, with the generated stubs.

POSTROOM_TOKEN=$(cat data/dev.token) .venv/bin/python docs/examples/python/send.py [address]
"""

from __future__ import annotations

import os
import sys
import uuid

import grpc
from google.protobuf.duration_pb2 import Duration
from google.rpc import error_details_pb2
from grpc_status import rpc_status

from postroom.v1 import email_pb2, email_service_pb2, email_service_pb2_grpc, event_pb2

TARGET = os.environ.get("POSTROOM_TARGET", "127.0.0.1:50051")
METADATA = (("authorization", f"Bearer {os.environ.get('POSTROOM_TOKEN', '')}"),)


def main(to: str) -> int:
    with grpc.insecure_channel(TARGET) as channel:
        emails = email_service_pb2_grpc.EmailServiceStub(channel)
        try:
            return send_and_wait(emails, to)
        except grpc.RpcError as error:
            explain(error)
            return 1


def send_and_wait(emails: email_service_pb2_grpc.EmailServiceStub, to: str) -> int:
    request = email_service_pb2.SendEmailRequest(
        request_id=str(uuid.uuid4()),  # repeating the call with it makes no second email
        to=[to],
        subject="Hello from Python",
        custom=email_service_pb2.CustomBody(text="It works. 你好 👋"),
    )
    sent = emails.SendEmail(request, metadata=METADATA, timeout=10)
    print("sent   ", sent.id)
    watch = email_service_pb2.WatchEventsRequest(
        filter=event_pb2.EventFilter(email_ids=[sent.id]), heartbeat_interval=Duration(seconds=5)
    )
    for message in emails.WatchEvents(watch, metadata=METADATA, timeout=60):
        if message.event.kind == event_pb2.EVENT_KIND_EMAIL_SETTLED:
            print("settled", email_pb2.EmailState.Name(message.event.email_state))
            break
    return 0


def explain(error: grpc.RpcError) -> None:
    """Prints the code, the reason and every violation of a refusal."""
    print(f"{error.code().name}: {error.details()}", file=sys.stderr)
    status = rpc_status.from_call(error)
    for detail in status.details if status else ():
        info, bad_request = error_details_pb2.ErrorInfo(), error_details_pb2.BadRequest()
        if detail.Unpack(info):
            print(f"  reason {info.reason}", file=sys.stderr)
        if detail.Unpack(bad_request):
            for violation in bad_request.field_violations:
                print(f"  {violation.field}: {violation.description}", file=sys.stderr)


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:] or ["you@example.com"]))
