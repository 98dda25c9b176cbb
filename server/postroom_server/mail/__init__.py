"""What the product does: accept, records, templates, servers, tenants, tokens. No protobuf, HTTP, SMTP."""
