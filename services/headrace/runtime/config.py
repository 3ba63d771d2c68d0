"""Where configuration comes from: `HEADRACE_*` variables, read once, passed down.

Law: the only module that reads the environment. A setting has a docstring and a unit in its name.
"""

import os
import socket
from typing import Any, ClassVar

from pydantic import SecretStr, ValidationError
from pydantic_settings import BaseSettings, SettingsConfigDict, SettingsError

from headrace.core.errors import HeadraceError
from headrace.runtime.telemetry.redaction import keep_secret

PREFIX = "HEADRACE_"


class BadSetting(HeadraceError):
    """A setting that is missing or cannot be; the message names its variable and never its value."""

    code = "bad_setting"


class Settings(BaseSettings):
    """Base of every service's settings: immutable, from the environment, unknown names ignored."""

    model_config = SettingsConfigDict(
        env_prefix=PREFIX,
        frozen=True,
        use_attribute_docstrings=True,
        extra="ignore",
    )

    def __init__(self, **given: Any) -> None:
        """`given` goes before the environment. Raises BadSetting."""
        try:
            super().__init__(**given)
        except ValidationError as error:
            # The chain would print what was given, which may be a secret.
            raise BadSetting("; ".join(_sentence(one["loc"], one["msg"]) for one in error.errors())) from None
        except SettingsError as error:
            raise BadSetting(str(error)) from None
        for value in vars(self).values():
            if isinstance(value, SecretStr):
                keep_secret(value.get_secret_value())


class PodSettings(Settings):
    """Base of those services' settings that report themselves to control; `service` is the word for what they are."""

    service: ClassVar[str]

    pod: str = ""
    """This pod's name, unique among all pods; empty: made of the service's and the host's."""

    zone: str = ""
    """The availability zone that this pod is in; empty: unknown."""

    @property
    def pod_name(self) -> str:
        """The name, given or made."""
        return pod_name(self.service, self.pod)


def pod_name(service: str, given: str) -> str:
    """A pod's name, unique among all pods: `given`, or made of the service's and the host's."""
    return given or f"{service}-{socket.gethostname()}"


def variable(name: str) -> str | None:
    """One variable that belongs to no service, such as the CLI's API key."""
    return os.environ.get(name)


def child_environment() -> dict[str, str]:
    """The environment without our variables: a child is told what it needs, and no secret."""
    # Settings are found whatever the case of their names.
    return {name: value for name, value in os.environ.items() if not name.upper().startswith(PREFIX)}


def tell_libraries() -> None:
    """Set what a library can only be told by a variable, where nobody has; before it is imported."""
    # gRPC writes a line on standard error for each handshake that fails: as many as a peer likes.
    os.environ.setdefault("GRPC_VERBOSITY", "NONE")


def _sentence(place: tuple[int | str, ...], why: str) -> str:
    # "Value error" is what pydantic says before the words of a validator of ours.
    return f"{PREFIX}{str(place[0]).upper() if place else 'settings'}: {why.removeprefix('Value error, ')}"
