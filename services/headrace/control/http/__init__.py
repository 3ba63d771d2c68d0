"""Control's HTTP face: the REST API under `/v1`, its description at `/docs`, the console at `/`.

Law: the only package that knows FastAPI; it translates and decides nothing. Every error is application/problem+json.
"""

from headrace.control.http.app import create_app

__all__ = ["create_app"]
