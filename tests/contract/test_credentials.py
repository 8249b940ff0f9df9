"""Credentials stand where every tool of a cloud looks for them: in the environment, or in files that it names."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import pytest
from stewardd.errors import ConfigurationError
from stewardd.repository.backend.all import open_repository
from stewardd.repository.backend.bucket.aws_files import aws_profile

from tests.support.clouds.cloud import Cloud

KEYS = ("access_key_id", "secret_access_key")


@pytest.fixture
def places(s3: Cloud) -> dict[str, str]:
    """The options that say where S3 is, and not who asks."""
    return {name: value for name, value in s3.options.items() if name not in KEYS}


@pytest.fixture
def credentials(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The file of AWS's credentials, and no other place to look for them."""
    for name in ("AWS_PROFILE", "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_REGION"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "config"))
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "credentials"))
    return tmp_path / "credentials"


def profile(name: str, options: Mapping[str, str]) -> str:
    keys = "\n".join(f"aws_{each} = {options[each]}" for each in KEYS)
    return f"[{name}]\n{keys}\n"


async def test_s3_is_opened_with_the_keys_of_the_default_profile(
    s3: Cloud, places: Mapping[str, str], credentials: Path
) -> None:
    credentials.write_text(profile("default", s3.options))
    store = await open_repository(f"{s3.make_bucket()}/x", places)
    await store.probe()


async def test_s3_takes_key_and_region_of_the_profile_that_the_environment_names(
    s3: Cloud, places: Mapping[str, str], credentials: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    credentials.write_text(profile("default", s3.wrong) + profile("backups", s3.options))
    credentials.with_name("config").write_text(
        f"[profile backups]\nregion = {s3.options['region']}\n"
    )
    monkeypatch.setenv("AWS_PROFILE", "backups")
    bucket = s3.make_bucket()
    await open_repository(f"{bucket}/x", {"endpoint": places["endpoint"]})
    monkeypatch.setenv("AWS_PROFILE", "default")
    with pytest.raises(ConfigurationError, match="SignatureDoesNotMatch") as caught:
        await open_repository(f"{bucket}/x", places)
    assert s3.secret not in repr(caught.value)


async def test_the_environment_goes_before_the_file(
    s3: Cloud, places: Mapping[str, str], credentials: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    credentials.write_text(profile("default", s3.wrong))
    for name in KEYS:
        monkeypatch.setenv(f"AWS_{name.upper()}", s3.options[name])
    await open_repository(f"{s3.make_bucket()}/x", places)


def test_keys_that_were_rotated_in_the_file_are_read(s3: Cloud, credentials: Path) -> None:
    credentials.write_text(profile("default", s3.wrong))
    found = aws_profile({})
    assert found is not None
    credentials.write_text(profile("default", s3.options))
    assert found()["secret_access_key"] == s3.secret


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("[other]\naws_access_key_id = a\n", "the profile 'backups'"),
        ("[backups]\nrole_arn = arn:aws:iam::1:role/r\n", "role_arn"),
        ("[backups]\ncredential_process = /bin/true\n", "credential_process"),
        ("[backups]\naws_access_key_id = s3cret\n", "aws_secret_access_key"),
        ("[backups\naws_secret_access_key = s3cret\n", "no file of AWS's form"),
        ("aws_secret_access_key = s3cret\n", "no file of AWS's form"),
    ],
)
def test_a_profile_that_gives_no_keys_is_named_without_a_secret(
    credentials: Path, monkeypatch: pytest.MonkeyPatch, text: str, said: str
) -> None:
    monkeypatch.setenv("AWS_PROFILE", "backups")
    credentials.write_text(text)
    with pytest.raises(ConfigurationError, match=said) as caught:
        aws_profile({})
    assert "s3cret" not in repr(caught.value)


def test_no_file_and_no_profile_leave_the_search_to_the_client(credentials: Path) -> None:
    assert aws_profile({}) is None
    credentials.write_text("[other]\naws_access_key_id = a\n")
    assert aws_profile({}) is None


async def test_azure_takes_its_account_and_key_from_the_environment(
    azure: Cloud, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AZURE_STORAGE_ACCOUNT_NAME", azure.options["account_name"])
    monkeypatch.setenv("AZURE_STORAGE_ACCOUNT_KEY", azure.options["account_key"])
    store = await open_repository(
        f"{azure.make_bucket()}/x", {"endpoint": azure.options["endpoint"]}
    )
    await store.probe()
