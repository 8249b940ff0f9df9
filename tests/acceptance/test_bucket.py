"""A daemon whose repository is a bucket, and that reads files from another one."""

from urllib.parse import quote

import pytest
from steward.v1 import backup_pb2 as b

from tests.acceptance.conftest import LANGUAGE, NO_DATABASE, refusal_of, rows
from tests.acceptance.test_backup import Client, unpacked
from tests.acceptance.test_starts import refused_start
from tests.support.calls import Request, batches, channel, download, opening, upload, validate
from tests.support.daemon import Daemon
from tests.support.storage import altered, refusal

BODY = LANGUAGE + rows(500, bad_every=10)


@pytest.fixture(scope="module", autouse=True)
def buckets(s3):
    for name in ("steward", "inbox"):
        s3.make_bucket(name)


@pytest.fixture
def settings(folder, s3):
    file = folder / "steward.toml"
    options = "\n".join(f'{name} = "{value}"' for name, value in s3.options.items())
    file.write_text(
        f"""
        [repository]
        url = "s3://steward/repository"
        [repository.options]
        {options}
        [validation]
        uri_roots = ["s3://inbox/in"]
        """
    )
    return file


def test_batches_and_backups_live_in_a_bucket_and_outlive_the_daemon(folder, settings, s3):
    with Daemon(folder / "data", "--config", str(settings)) as daemon:
        batch = validate(daemon.address, upload(BODY, request_id="one"))
        assert (batch.total_rows, batch.quarantined_rows) == (500, 50)
        with channel(daemon.address) as open_channel:
            client = Client(open_channel)
            backup = unpacked(client.wait(client.create().name), b.Backup)
        assert s3.secret not in daemon.text
        daemon.kill()
        daemon.start()
        assert validate(daemon.address, upload(BODY, request_id="one")) == batch
        assert batches(daemon.address) == [batch]
        assert download(daemon.address, batch.name, "records.jsonl").count(b"\n") == 50
        with channel(daemon.address) as open_channel:
            listed = Client(open_channel).backups.ListBackups(b.ListBackupsRequest(), timeout=30)
        assert list(listed.backups) == [backup]


def test_a_uri_below_a_root_in_a_bucket_is_read_and_no_other(folder, settings, s3):
    s3.put("/inbox/in/some.csv", BODY)
    s3.put("/inbox/out.csv", BODY)
    commit = Request(commit=Request.Commit())
    with Daemon(folder / "data", "--config", str(settings), environment=NO_DATABASE) as daemon:
        batch = validate(daemon.address, [opening("", uri="s3://inbox/in/some.csv"), commit])
        assert (batch.total_rows, batch.source_file) == (500, "some.csv")
        for uri in (
            "s3://inbox/in/missing.csv",
            "s3://inbox/in/../out.csv",
            "s3://inbox/out.csv",
            "s3://inbox/in",
            "s3://steward/in/some.csv",
            "file:///etc/passwd",
        ):
            assert refusal_of(daemon.address, [opening(uri=uri), commit]).reason == "URI_REFUSED"


def test_a_root_whose_bucket_refuses_is_named_at_start_and_nothing_is_made(folder, settings, s3):
    data = folder / "elsewhere" / "data"
    settings.write_text(settings.read_text().replace("s3://inbox/in", "s3://no-such-inbox/in"))
    said = refused_start("--data-dir", str(data), "--config", str(settings))
    assert "there is no bucket at s3://no-such-inbox/in" in said
    assert "[CONFIGURATION]" in said
    assert not data.parent.exists()
    with altered(s3) as storage:
        settings.write_text(settings.read_text().replace("no-such-inbox", "inbox"))
        settings.write_text(settings.read_text().replace(s3.endpoint, storage.url))
        storage.answer = lambda _, path, __: (
            refusal(403, "SignatureDoesNotMatch") if path.startswith("/inbox") else None
        )
        said = refused_start("--data-dir", str(data), "--config", str(settings))
        assert "s3://inbox/in refuses" in said
        assert "SignatureDoesNotMatch" in said
        assert not data.parent.exists()


@pytest.mark.parametrize(
    "answer", [refusal(403, "AccessDenied"), refusal(503, "ServiceUnavailable")]
)
def test_a_root_that_may_be_readable_later_is_warned_of(folder, settings, s3, answer):
    roots = f'["s3://inbox/in", "{folder}/no-such-folder"]'
    with altered(s3) as storage:
        text = settings.read_text().replace('["s3://inbox/in"]', roots)
        settings.write_text(text.replace(s3.endpoint, storage.url))
        storage.answer = lambda _, path, __: answer if path.startswith("/inbox") else None
        with Daemon(folder / "data", "--config", str(settings), environment=NO_DATABASE) as daemon:
            assert (
                daemon.events("a uri root cannot be read")[0]["root"] == f"{folder}/no-such-folder"
            )
            (warning,) = daemon.events("a uri root may not be readable")
            assert warning["root"] == "s3://inbox/in"


def test_a_refused_repository_leaves_no_data_folder_behind(folder, settings):
    data = folder / "elsewhere" / "data"
    settings.write_text(settings.read_text().replace("s3://steward/", "s3://no-such-bucket/"))
    assert "no-such-bucket" in refused_start("--data-dir", str(data), "--config", str(settings))
    assert not data.parent.exists()


@pytest.mark.parametrize("root", ["s3://inbox/in", "s3://inbox/the in box", "s3://inbox"])
def test_an_object_may_bear_any_name_that_a_file_may(folder, s3, settings, root):
    names = [
        "week 27.csv",
        "week (1).csv",
        "Füße.csv",
        "a+b.csv",
        "50%.csv",
        "'q' & <b>.csv",
        "ü/ö ä.csv",
    ]
    settings.write_text(settings.read_text().replace("s3://inbox/in", root))
    prefix = root.removeprefix("s3://inbox").lstrip("/")
    prefix = f"{prefix}/" if prefix else ""
    for name in [*names, "a?b#c.csv", "a%20b.csv"]:
        s3.put(f"/inbox/{quote(prefix + name)}", BODY)
    commit = Request(commit=Request.Commit())
    with Daemon(folder / "data", "--config", str(settings), environment=NO_DATABASE) as daemon:
        for name in names:
            for uri in (f"{root}/{name}", f"{quote(root, safe=':/')}/{quote(name)}"):
                batch = validate(daemon.address, [opening("", uri=uri), commit])
                assert (batch.total_rows, batch.source_file) == (500, name.rpartition("/")[2])
        for name in ("a?b#c.csv", "a%20b.csv"):
            batch = validate(daemon.address, [opening("", uri=f"{root}/{quote(name)}"), commit])
            assert batch.source_file == name
        for name in (
            "a?b#c.csv",
            "..%2Fout.csv",
            "x/../../out.csv",
            "%2e%2e/out.csv",
            "a//b",
            "",
            "a%00b",
            "%ff",
        ):
            said = refusal_of(daemon.address, [opening(uri=f"{root}/{name}"), commit])
            assert said.reason == "URI_REFUSED"
        said = refusal_of(daemon.address, [opening(uri=f"{root}/a?b#c.csv"), commit])
        assert "%3F" in said.hint
