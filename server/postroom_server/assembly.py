"""Puts a server together from its settings, runs it, and takes it down in order. Knows everyone."""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import functools
import inspect
import signal
from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import timedelta
from pathlib import Path

import prometheus_client
import structlog
from postroom.v1 import (
    directory_service_pb2_grpc,
    email_service_pb2_grpc,
    mail_server_service_pb2_grpc,
    suppression_service_pb2_grpc,
    template_service_pb2_grpc,
    tenant_service_pb2_grpc,
    token_service_pb2_grpc,
)

from postroom_server.clock import Clock
from postroom_server.delivery.endpoints import Endpoints, SmtpSettings
from postroom_server.delivery.engine import Engine, EngineSettings
from postroom_server.delivery.trial import Trial
from postroom_server.delivery.worker import FencedError, Presence, rescue_all
from postroom_server.mail.accept import Acceptance
from postroom_server.mail.admission import Admission
from postroom_server.mail.limits import Limits
from postroom_server.mail.recognition import Tokens
from postroom_server.mail.server_test import ServerTest
from postroom_server.mail.servers import Servers
from postroom_server.mail.tenants import ensure_platform
from postroom_server.rpc.in_flight import InFlight
from postroom_server.rpc.listener import Listener, ListenerSettings
from postroom_server.rpc.local_channel import LocalChannel
from postroom_server.rpc.metrics import Metrics
from postroom_server.rpc.scope_table import SCOPES
from postroom_server.rpc.services import Services
from postroom_server.rpc.stack import stack
from postroom_server.settings import Settings
from postroom_server.store.ids import IdMint
from postroom_server.store.known import Memory
from postroom_server.store.opening import Address, OpenDatabase, open_database
from postroom_server.store.sealing import Sealer
from postroom_server.store.time import database_now
from postroom_server.store.unit import Store

log = structlog.get_logger()
