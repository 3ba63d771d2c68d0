"""Verdicts on control's database: whether it answers, its schema, its clock, and the way to it.

Law: what is asked is a read; `control.db` knows schemas.
"""

from headrace.cli.doctor.results import Result, failure, ok, warning
from headrace.control.db.looking import Looked


def schema(looked: Looked) -> Result:
    """Whether this version works on the database's schema."""
    seen = f"schema {looked.schema:04}, this version's is {looked.newest:04}"
    if looked.schema == looked.newest:
        return ok("migrations", "database", seen)
    if looked.schema < looked.newest:
        wrong = "migrations are pending: control of this version does not start"
        return failure("migrations", "database", seen, wrong, "run `headrace migrate`")
    if looked.schema == looked.newest + 1:
        wrong = "it is one ahead, as during a rollout: this version works on it"
        return warning("migrations", "database", seen, wrong, "let the rollout come to its end")
    wrong = "it is more than one ahead: control of this version does not start"
    return failure("migrations", "database", seen, wrong, "run a newer version")


def way(looked: Looked) -> Result:
    """How it is entered."""
    if looked.weakness:
        todo = "drop sslmode from HEADRACE_DATABASE_URL, and name sslrootcert"
        return warning("settings", "database", looked.weakness, "whoever is in between can read or pretend", todo)
    return ok("reach", "database", looked.where)
