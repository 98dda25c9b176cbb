"""Indexes for lists of members in each of their orders, and for everyone of a tenant by id."""

from postroom_server.store.script import beside

up = beside(__file__)
