"""Dialect A, the AngusGM email API: translated here into calls of the contract, and back."""

from postroom_server.gateway.angusgm.dialect import AngusGm
from postroom_server.gateway.angusgm.openapi import OPENAPI
from postroom_server.gateway.angusgm.settings import AngusGmSettings

__all__ = ["OPENAPI", "AngusGm", "AngusGmSettings"]
