"""What the product does: accept, records, templates, servers, tenants, tokens. Knows no protobuf, HTTP or SMTP."""
