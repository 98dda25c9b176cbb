"""Our own default templates: their contents as files, and what puts them into a database."""
