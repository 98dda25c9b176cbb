"""The REST face: two documented APIs, as calls of the generated stubs. Knows no rows and no rules."""
