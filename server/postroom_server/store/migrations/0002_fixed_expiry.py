"""Whether the caller of an email fixed its expire_time."""

from postroom_server.store.script import beside

up = beside(__file__)
