"""What a shell is offered of the batches, rows and exports that the daemon has."""

import pytest


@pytest.fixture
def batch(server, word):
    return server.client.validate_file(b"id,rating\na,7\nb,8\nc,0.5\n", source_file=word)


def test_completion_offers_the_newest_batches(steward, environment, batch):
    environment.update(
        _STEWARD_COMPLETE="bash_complete",
        COMP_WORDS="steward quarantine show batches/",
        COMP_CWORD="3",
    )
    offered = steward().stdout.splitlines()
    assert offered[0] == f"plain,{batch.name}"
    assert len(offered) <= 20
    assert all(line.startswith("plain,batches/") for line in offered)
    environment["STEWARD_SERVER"] = "unix:/nowhere"
    assert (steward().stdout.strip(), steward().stderr) == ("", "")


@pytest.fixture
def offered(steward, environment):
    def ask(*words):
        command = " ".join(map(str, ("steward", "quarantine", *words)))
        environment.update(
            _STEWARD_COMPLETE="bash_complete",
            COMP_WORDS=command,
            COMP_CWORD=str(len(words) + 1 + (not words[-1])),
        )
        ended = steward()
        assert ended.stderr == ""
        return [line.partition(",")[2] for line in ended.stdout.split()]

    return ask


def test_completion_offers_rows_and_then_their_wrong_columns(offered, client, batch):
    assert offered("show", batch.name, "") == ["1", "2"]
    client.correct_row(f"{batch.name}/rows/1", {"rating": "0.5"})
    assert offered("show", batch.name, "") == ["1", "2"]
    assert offered("discard", "latest", "") == ["2"]
    assert offered("discard", "latest", "2", "") == []
    assert offered("correct", batch.name, "") == ["2"]
    assert offered("correct", batch.name, "2", "ra") == ["rating="]
    assert offered("correct", batch.name, "7", "") == []


def test_completion_offers_exports_and_cursors(offered, client, batch):
    behind = f"{batch.name}/exports/"
    assert offered("export", behind) == []
    client.correct_row(f"{batch.name}/rows/1", {"rating": "0.5"})
    first = client.create_export(batch.name, "importer").name
    client.correct_row(f"{batch.name}/rows/2", {"rating": "0.5"})
    second = client.create_export(batch.name, "auditor").name
    assert offered("export", behind) == [f"{behind}latest", second, first]
    ids = ["latest", *(each.rpartition("/")[2] for each in (second, first))]
    assert offered("export", "latest/exports/") == [f"latest/exports/{each}" for each in ids]
    assert offered("export", batch.name, "--cursor", "") == ["auditor", "importer"]
    assert offered("exports", batch.name, "--cursor", "i") == ["importer"]
