"""Alembic's scripts. Law: a release only adds; a migration that was released never changes."""
