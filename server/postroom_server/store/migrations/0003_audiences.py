"""Audiences: what waits to be looked up, what is a member's own in a copy, and how far it has come."""

from postroom_server.store.script import beside

up = beside(__file__)
