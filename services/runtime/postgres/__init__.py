"""Connections, statements in files, migrations and roles."""
