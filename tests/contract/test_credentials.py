"""Credentials stand where every tool of a cloud looks for them: in the environment, or in files that it names."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import pytest
from stewardd.app.copies import import_roots
from stewardd.config.loading import load
from stewardd.errors import ConfigurationError
from stewardd.repository.backend.all import open_repository
from stewardd.repository.backend.bucket.aws_files import aws_profile

from tests.support.clouds.cloud import Cloud
from tests.support.clouds.gcs import write_service_account

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


async def test_each_root_of_imports_is_opened_with_options_of_its_own(
    s3: Cloud, gcs: Cloud, tmp_path: Path
) -> None:
    """The repository's options are those of another bucket, and open none of them."""
    file = tmp_path / "steward.toml"
    text = '[repository]\noptions = { region = "nowhere", access_key_id = "nobody" }\n'
    urls = [f"{cloud.make_bucket()}/x" for cloud in (s3, gcs)]
    for name, url, cloud in zip(("one", "two"), urls, (s3, gcs), strict=True):
        await (await open_repository(url, cloud.options)).put("a/manifest.json", b"{}")
        text += f'[backup.import_roots.{name}]\nurl = "{url}"\n'
        text += "".join(
            f'options.{option} = "{value}"\n' for option, value in cloud.options.items()
        )
    file.write_text(text)
    roots = import_roots(load(file, {}, {}).backup)
    assert [root.url for root in roots] == urls
    for root in roots:
        assert await root.open().get("a/manifest.json") == b"{}"


async def test_google_is_opened_with_the_file_of_a_service_account(
    gcs: Cloud, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What the file's key signs is verified, as Google does; the exchange of a user's token is not at hand here."""
    file = tmp_path / "account.json"
    write_service_account(file)
    place = {"base_url": gcs.options["base_url"]}
    url = f"{gcs.make_bucket()}/x"
    for options in ({**place, "service_account": str(file)}, place):
        store = await open_repository(url, options)
        await store.probe()
        monkeypatch.setenv("GOOGLE_APPLICATION_CREDENTIALS", str(file))
    write_service_account(file, is_trusted=False)
    with pytest.raises(ConfigurationError, match="AuthenticationRequired") as caught:
        await open_repository(url, {**place, "service_account": str(file)})
    assert "PRIVATE KEY" not in repr(caught.value)


@pytest.mark.parametrize("text", ["", "{}", '{"private_key": "s3cret"}', "s3cret"])
async def test_a_google_file_that_gives_no_key_is_refused_without_a_secret(
    gcs: Cloud, tmp_path: Path, text: str
) -> None:
    file = tmp_path / "account.json"
    file.write_text(text)
    options = {"base_url": gcs.options["base_url"], "service_account": str(file)}
    with pytest.raises(ConfigurationError) as caught:
        await open_repository(f"{gcs.make_bucket()}/x", options)
    assert "s3cret" not in repr(caught.value)
