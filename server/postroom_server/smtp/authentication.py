"""Authentication: AUTH PLAIN and AUTH LOGIN, each with an initial response (RFC 4954)."""

from __future__ import annotations

from base64 import b64encode

from postroom_server.smtp import reply as replies
from postroom_server.smtp.capabilities import Capabilities
from postroom_server.smtp.endpoint import AuthMechanism, Endpoint
from postroom_server.smtp.reply import Reply
from postroom_server.smtp.wire import Wire


def choose(endpoint: Endpoint, capabilities: Capabilities) -> AuthMechanism:
    """The mechanism to use; NONE when the server offers none that fits."""
    either = (AuthMechanism.PLAIN, AuthMechanism.LOGIN)
    wanted = either if endpoint.auth is AuthMechanism.AUTO else (endpoint.auth,)
    return next((mechanism for mechanism in wanted if mechanism in capabilities.auth), AuthMechanism.NONE)


async def log_in(wire: Wire, endpoint: Endpoint, mechanism: AuthMechanism) -> Reply:
    """Logs in and returns the reply that decides. Raises Lost."""
    username, password = endpoint.username.encode(), endpoint.password.encode()
    if mechanism is AuthMechanism.PLAIN:
        answers = [b64encode(b"\0" + username + b"\0" + password)]
    else:
        answers = [b64encode(username), b64encode(password)]
    timeout = endpoint.timeouts.ehlo
    command = b"AUTH " + mechanism.encode() + b" "
    while True:
        wire.write(command + answers.pop(0) + b"\r\n", replies=1)
        code, lines = await wire.frame(timeout)
        if code != 334 or not answers:
            return replies.from_lines(code, _masked(lines, endpoint))
        command = b""


def _masked(lines: list[bytes], endpoint: Endpoint) -> list[bytes]:
    """The lines without credentials: servers quote the command they did not like, and replies are kept."""
    username, password = endpoint.username.encode(), endpoint.password.encode()
    plain = b64encode(b"\0" + username + b"\0" + password)
    for secret in filter(None, (plain, b64encode(password), password)):
        lines = [line.replace(secret, b"***") for line in lines]
    return lines
