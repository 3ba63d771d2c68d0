"""Control's database: SQLAlchemy Core over SQLite (one machine) or PostgreSQL, its schema kept by Alembic.

Law: the only package that knows SQLAlchemy and Alembic. Callers open a transaction, call its repositories, and get
values of `control.model`; of two writers that want the same thing the later one gets `Conflict` from a unique index.
"""

from headrace.control.db.database import Database, Transaction
from headrace.control.db.engines import Conflict, DatabaseError
from headrace.control.db.migrate import Migrated, migrate

__all__ = ["Conflict", "Database", "DatabaseError", "Migrated", "Transaction", "migrate"]
