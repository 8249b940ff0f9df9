"""Credentials of S3 from AWS's own files, which every other tool reads and the bucket's client does not.

`~/.aws/credentials` and `~/.aws/config`, or the files and the profile that AWS_SHARED_CREDENTIALS_FILE,
AWS_CONFIG_FILE and AWS_PROFILE name. A profile's keys are read; one that asks for more (a role, a login, a program) is
refused by name. The file is read again when the client asks again, so that keys may be rotated there.
"""

from __future__ import annotations

import configparser
import os
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from stewardd.errors import ConfigurationError

_READ_AGAIN_AFTER = timedelta(minutes=5)
# Where one of these is set, the client finds credentials itself, as AWS's tools prefer them too.
_OF_CLIENT = ("AWS_ACCESS_KEY_ID", "AWS_WEB_IDENTITY_TOKEN_FILE")
_OPTIONS = frozenset({"access_key_id", "aws_access_key_id", "skip_signature", "aws_skip_signature"})
_NOT_READ = ("role_arn", "credential_process", "sso_session", "sso_start_url")


@dataclass(frozen=True, slots=True)
class AwsProfile:
    """A profile with keys. Called, it returns them as the bucket's client wants them."""

    name: str
    credentials_file: Path
    config_file: Path

    @property
    def region(self) -> str:
        """The region that the profile names; "" where it names none."""
        return self.read().get("region", "")

    def __call__(self) -> dict[str, object]:
        """Returns the credentials as they are in the file now. Raises: ConfigurationError."""
        found = self.read()
        try:
            key, secret = found["aws_access_key_id"], found["aws_secret_access_key"]
        except KeyError as missing:
            raise ConfigurationError(f"{self} has no {missing.args[0]}") from None
        return {
            "access_key_id": key,
            "secret_access_key": secret,
            "token": found.get("aws_session_token"),
            "expires_at": datetime.now(UTC) + _READ_AGAIN_AFTER,
        }

    def __str__(self) -> str:
        return f"the profile {self.name!r} of {self.credentials_file}"

    def read(self) -> dict[str, str]:
        """Everything that the two files say of the profile. Raises: ConfigurationError."""
        return {
            **_section(self.config_file, _config_section(self.name)),
            **_section(self.credentials_file, self.name),
        }


def aws_profile(
    options: Mapping[str, str], environment: Mapping[str, str] = os.environ
) -> AwsProfile | None:
    """The profile that S3 is opened with; None where options or environment have credentials, or nobody has a profile.

    Raises: ConfigurationError for a profile that is named and not there, and for one that has no keys of its own.
    """
    if any(name.lower() in _OPTIONS for name in options) or any(
        environment.get(name) for name in _OF_CLIENT
    ):
        return None
    named = environment.get("AWS_PROFILE", "")
    folder = Path("~/.aws").expanduser()
    found = AwsProfile(
        named or "default",
        Path(environment.get("AWS_SHARED_CREDENTIALS_FILE") or folder / "credentials"),
        Path(environment.get("AWS_CONFIG_FILE") or folder / "config"),
    )
    said = found.read()
    if not said and not named:
        return None
    if not said:
        raise ConfigurationError(
            f"{found} is not there, and AWS_PROFILE names it",
            hint="correct AWS_PROFILE, AWS_SHARED_CREDENTIALS_FILE or the file",
        )
    if "aws_access_key_id" in said:
        found()
        return found
    unread = next((name for name in _NOT_READ if name in said), None)
    if unread is not None:
        raise ConfigurationError(
            f"{found} gets its credentials by {unread}, which the daemon does not do",
            hint="name keys in it, or set what `aws configure export-credentials --format env` prints",
        )
    return None


def _config_section(name: str) -> str:
    return name if name == "default" else f"profile {name}"


def _section(file: Path, name: str) -> dict[str, str]:
    # Without interpolation: a secret may hold a percent sign.
    parser = configparser.ConfigParser(interpolation=None, default_section="")
    try:
        parser.read_string(file.read_text())
    except FileNotFoundError:
        return {}
    except (OSError, UnicodeDecodeError) as error:
        why = getattr(error, "strerror", None) or "it is no text"
        raise ConfigurationError(f"{file} cannot be read: {why}") from None
    except configparser.Error:  # its text quotes lines, and a secret may stand in one
        raise ConfigurationError(f"{file} is no file of AWS's form") from None
    return dict(parser[name]) if parser.has_section(name) else {}
