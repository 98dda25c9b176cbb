"""Writes letters and sends them, in this process or in one of its own beside it.

The sender starts with this package: whatever it does not need is imported by those who do.
"""
