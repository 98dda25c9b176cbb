"""Protobuf to values and back, one file per family of messages."""
