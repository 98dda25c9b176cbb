"""Hands finished messages to SMTP servers, and tells exactly how that ended. Knows nothing of the rest."""

from __future__ import annotations

from postroom_server.smtp.connection import Connection, probe
from postroom_server.smtp.conversation import BeforeDot, Following
from postroom_server.smtp.endpoint import AuthMechanism, Endpoint, Timeouts, TlsMode
from postroom_server.smtp.envelope import Envelope
from postroom_server.smtp.loan import Loan
from postroom_server.smtp.opening import NotOpened
from postroom_server.smtp.pool import Pool
from postroom_server.smtp.reply import Reply
from postroom_server.smtp.transaction import Level, Phase, Transaction

__all__ = [
    "AuthMechanism",
    "BeforeDot",
    "Connection",
    "Endpoint",
    "Envelope",
    "Following",
    "Level",
    "Loan",
    "NotOpened",
    "Phase",
    "Pool",
    "Reply",
    "Timeouts",
    "TlsMode",
    "Transaction",
    "probe",
]
