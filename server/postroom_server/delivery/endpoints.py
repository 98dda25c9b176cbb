"""Mail servers as SMTP endpoints: passwords opened, the deployment's own SMTP settings added."""

from __future__ import annotations

import dataclasses

from postroom_server.smtp import AuthMechanism, Endpoint, Timeouts, TlsMode
from postroom_server.store.facts import ServerFacts
from postroom_server.store.sealing import Sealer


@dataclasses.dataclass(frozen=True, slots=True)
class SmtpSettings:
    helo_name: str = "localhost"
    ca_file: str | None = None
    timeouts: Timeouts = dataclasses.field(default_factory=Timeouts)


class Endpoints:
    """Makes the endpoint of a server, once for as long as the server stays as it is."""

    def __init__(self, sealer: Sealer, settings: SmtpSettings) -> None:
        self._sealer = sealer
        self._settings = settings
        self._made: dict[int, tuple[ServerFacts, Endpoint]] = {}

    def of(self, server: ServerFacts) -> Endpoint:
        """Raises DataKeyError when the stored password cannot be opened."""
        made = self._made.get(server.id)
        if made is not None and made[0] == server:
            return made[1]
        password = ""
        if server.sealed_password is not None:
            password = self._sealer.open(
                server.sealed_password, table="mail_server", column="sealed_password", row_id=server.id
            )
        endpoint = Endpoint(
            host=server.host,
            port=server.port,
            tls=TlsMode(server.tls_mode),
            auth=AuthMechanism(server.auth_mechanism),
            username=server.username or "",
            password=password,
            helo_name=self._settings.helo_name,
            ca_file=self._settings.ca_file,
            timeouts=self._settings.timeouts,
        )
        self._made[server.id] = (server, endpoint)
        return endpoint
