"""REST dialect B, SendCloud's templates: `/apiv2/template/…` as calls of TemplateService."""

from postroom_server.gateway.sendcloud.dialect import SendCloud, SendCloudSettings
from postroom_server.gateway.sendcloud.openapi import OPENAPI

__all__ = ["OPENAPI", "SendCloud", "SendCloudSettings"]
