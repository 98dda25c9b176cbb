"""What a mail is made of: addresses, templates, and the bytes that leave. Pure: no I/O, no clock."""
