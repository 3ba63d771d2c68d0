"""Where configuration comes from: `HEADRACE_*` variables, read once, passed down.

Law: the only module that reads the environment. A setting has a docstring and a unit in its name.
"""

import os

from pydantic_settings import BaseSettings, SettingsConfigDict


class Settings(BaseSettings):
    """Base of every service's settings: immutable, from the environment, unknown names ignored."""

    model_config = SettingsConfigDict(
        env_prefix="HEADRACE_",
        frozen=True,
        use_attribute_docstrings=True,
        extra="ignore",
    )


def variable(name: str) -> str | None:
    """One variable that belongs to no service, such as the CLI's API key."""
    return os.environ.get(name)
