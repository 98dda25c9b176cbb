"""Rows: models, migrations, the database handle, statements, filters, ids."""
