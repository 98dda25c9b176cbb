"""What templates are called with, for the publishing guard."""

from postroom_server.store.script import beside

up = beside(__file__)
