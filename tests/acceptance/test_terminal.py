"""The command's screens in terminals of several widths, names that are shortened and found again; a real daemon."""

import os
import re
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import grpc
import pytest
from steward_client import Client

from tests.acceptance.conftest import LANGUAGE, NO_DATABASE, rows
from tests.support.command import run_command
from tests.support.daemon import Daemon
from tests.support.terminal import in_terminal

UUID = r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}"
WIDTHS = (20, 40, 80)
SCREENS = [
    ["batch", "list"],
    ["batch", "show", "latest"],
    ["quarantine", "list"],
    ["quarantine", "list", "--rows"],
    ["quarantine", "show", "latest"],
    ["quarantine", "show", "latest", "5"],
    ["quarantine", "stats"],
    ["quarantine", "exports", "latest"],
    ["schema", "list"],
    ["schema", "show", "language_session"],
    ["operation", "list"],
    ["operation", "watch", "latest"],
    ["health"],
    ["batch", "show", "ffffffff"],
    ["quarantine", "retry", "latest"],
]


@pytest.fixture(scope="module")
def served(session_folder):
    with Daemon(session_folder / "terminal", environment=NO_DATABASE) as running:
        with Client(running.address) as client:
            for number in range(3):
                client.validate_file(
                    LANGUAGE + rows(20, bad_every=5),
                    source_file=f"sessions_of_the_month_{number}.csv",
                    keep_valid_rows=True,
                )
            client.retry_quarantine(next(client.list_batches()).name, dry_run=True).wait()
        yield running


@pytest.fixture
def environment(served):
    kept = {name: value for name, value in os.environ.items() if not name.startswith("STEWARD")}
    for name in ("NO_COLOR", "FORCE_COLOR", "COLUMNS", "TERM"):
        kept.pop(name, None)
    return {**kept, "STEWARD_SERVER": served.address}


@pytest.fixture
def batches(served):
    with Client(served.address) as client:
        return [each.name for each in client.list_batches()]


def steward(environment, *arguments, cwd=Path("/")):
    return run_command(arguments, environment, cwd)


def parts_of_ids(text):
    """Pieces of ids that are neither whole nor a prefix of thirteen characters or more."""
    return [
        each
        for each in re.findall(r"(?<![0-9a-f-])[0-9a-f]{4,}(?:-[0-9a-f]*)+", text)
        if not re.fullmatch(UUID, each) and not re.fullmatch(r"[0-9a-f]{8}-[0-9a-f]{4}[0-9a-f-]*", each)
        and not re.fullmatch(r"\d{4}-\d\d-\d\d", each)
    ]  # fmt: skip


@pytest.mark.parametrize("arguments", SCREENS, ids=" ".join)
def test_no_screen_breaks_a_name_or_a_command_at_any_width(
    environment, tmp_path, arguments, batches
):
    plain = steward({**environment, "NO_COLOR": "1"}, *arguments, cwd=tmp_path)
    shown = plain.stdout + plain.stderr
    commands = {each.strip() for each in re.findall(r": +(steward [^\n`]*)$", shown, re.MULTILINE)}
    words = set(re.findall(r"`[^`]*`", shown))
    quiet = {**environment, "NO_COLOR": "1"}
    with ThreadPoolExecutor() as pool:
        screens = pool.map(
            lambda wide: in_terminal(arguments, quiet, width=wide, cwd=tmp_path), WIDTHS
        )
    for width, seen in zip(WIDTHS, screens, strict=True):
        assert seen.returncode == plain.returncode
        assert not parts_of_ids(seen.text), width
        for command in commands:
            assert any(line.endswith(command) for line in seen.lines), (width, command)
        for word in words:
            assert any(word in line for line in seen.lines), (width, word)
        # A line that is too wide is one word, or a command.
        for line in seen.lines:
            if len(line) > width and "━" not in line:
                assert len(line.split()) == 1 or "steward " in line, (width, line)


@pytest.mark.parametrize("width", WIDTHS)
def test_what_a_table_shows_as_a_name_finds_it_again(environment, tmp_path, batches, width):
    seen = in_terminal(["batch", "list"], environment, width=width, cwd=tmp_path)
    shown = re.findall(r"[0-9a-f]{8}-[0-9a-f]{4}[0-9a-f-]*", seen.text)
    assert len(shown) == len(batches)
    for name, short in zip(batches, shown, strict=True):
        found = steward(environment, "batch", "show", short, "--output", "json")
        assert f'"name": "{name}"' in found.stdout


def test_names_are_taken_in_full_as_an_id_as_a_prefix_and_as_latest(environment, batches, tmp_path):
    newest = batches[0]
    identifier = newest.partition("/")[2]
    for given in (newest, identifier, identifier[:13], f"batches/{identifier[:20]}", "latest",
                  "batches/latest", identifier.upper(), identifier.replace("-", "")[:12]):  # fmt: skip
        assert newest in steward(environment, "batch", "show", given).stdout, given
    row = steward(environment, "quarantine", "show", f"{identifier[:13]}/rows/5")
    assert f"{newest}/rows/5 is open" in row.stdout
    corrected = steward(environment, "quarantine", "correct", "latest", "5", "rating=0.5")
    assert corrected.returncode == 0, corrected.stderr
    assert f"of {newest} are open" in steward(
        environment, "quarantine", "discard", identifier[:14], "10", "--reason", "a test"
    ).stdout  # fmt: skip
    out = tmp_path / "new.csv"
    handed = steward(environment, "quarantine", "export", "latest", "--cursor", "i", "--to", out)
    assert handed.returncode == 0, handed.stderr
    again = steward(
        environment, "quarantine", "export", "latest/exports/latest", "--to", "-", cwd=tmp_path
    )
    assert again.stdout.encode() == out.read_bytes()


def test_a_prefix_of_several_lists_them_and_one_of_none_says_so(environment, batches):
    ids = [each.partition("/")[2] for each in batches]
    common = next(
        ids[0][:end]
        for end in range(36, 0, -1)
        if all(each.startswith(ids[0][:end]) for each in ids)
    )
    ambiguous = steward(environment, "batch", "show", common)
    assert ambiguous.returncode == 3
    assert "NAME_AMBIGUOUS" in ambiguous.stderr
    assert all(each in ambiguous.stderr for each in batches)
    missing = steward(environment, "quarantine", "show", "0000")
    assert (missing.returncode, "[BATCH_NOT_FOUND]" in missing.stderr) == (3, True)
    for noun, kind in (("batch", "batches"), ("backup", "backups"), ("operation", "operations")):
        wrong = steward(environment, noun, "show", "no name at all")
        assert wrong.returncode == 3
        assert re.search(rf"such as {kind}/{UUID}", wrong.stderr)
    assert "there is no backup yet" in steward(environment, "backup", "show", "latest").stderr


def test_errors_are_red_on_a_terminal_unless_it_says_no(environment, tmp_path):
    def raw(*more, **variables):
        arguments = ["batch", "show", "ffff", *more]
        return in_terminal(arguments, {**environment, **variables}, cwd=tmp_path).raw

    assert "\x1b[31msteward: " in raw()
    assert "\x1b[" not in raw(NO_COLOR="1")
    assert "\x1b[" not in raw(TERM="dumb")
    assert "\x1b[" not in raw("--color", "never")
    assert "\x1b[31m" in raw("--color", "always", NO_COLOR="1")
    assert "\x1b[" not in steward(environment, "batch", "show", "ffff").stderr
    assert "\x1b[31m" in steward(environment, "batch", "show", "ffff", "--color", "always").stderr


def test_a_command_to_copy_goes_to_the_daemon_that_was_named(environment, served):
    address = environment.pop("STEWARD_SERVER")
    shown = steward(environment, "quarantine", "list", "--server", address)
    assert re.search(rf"steward quarantine show \S+ --server {re.escape(address)}\n", shown.stdout)


def test_one_rule_for_every_file_that_is_written(environment, batches, tmp_path, served):
    source = tmp_path / "in.csv"
    source.write_bytes(LANGUAGE + rows(20, bad_every=5))
    name = batches[-1]
    writers = [
        (["batch", "download", name, "errors.csv"], "--to"),
        (["validate", source], "--valid-out"),
        (["quarantine", "export", name], "--to"),
    ]
    for arguments, option in writers:
        target = tmp_path / "out.csv"
        target.write_text("mine")
        refused = steward(environment, *arguments, option, target, cwd=tmp_path)
        assert refused.returncode == 3, refused.stderr
        assert "a file is there already [FILE_EXISTS]" in refused.stderr
        assert "--force" in refused.stderr
        assert target.read_text() == "mine"
        forced = steward(environment, *arguments, option, target, "--force", cwd=tmp_path)
        assert forced.returncode in (0, 1), forced.stderr
        content = target.read_text()
        assert content.lstrip("\ufeff").startswith(("session_id", "Row Number", "Batch")), content[
            :80
        ]
        target.unlink()
        out = steward(environment, *arguments, option, "-", cwd=tmp_path)
        assert out.returncode == forced.returncode
        assert out.stdout.splitlines()[0] == content.splitlines()[0]
        assert len(out.stdout) == len(content)
        both = steward(environment, *arguments, option, "-", "--output", "json", cwd=tmp_path)
        assert both.returncode == 2
    assert [each.name for each in tmp_path.iterdir()] == ["in.csv"]


def test_messages_speak_of_options(environment, tmp_path):
    long = "x" * 200
    source = tmp_path / "in.csv"
    source.write_bytes(LANGUAGE + rows(1))
    told = steward(environment, "validate", source, "--request-id", long).stderr
    assert "--request-id is longer than 128 characters" in told
    told = steward(environment, "validate", source, "--type", "No Type").stderr
    assert "--type is not the name of a type, such as language_session" in told
    told = steward(environment, "quarantine", "export", "latest", "--with-valid").stderr
    assert "--with-valid and --original-order go with the CSV" in told
    for text in (
        steward(environment, "health", "--timeout", "0.000001").stderr,
        steward(environment, "health", "--server", "127.0.0.1:1").stderr,
    ):
        assert "timeout_s" not in text
        assert "for the command" not in text


def test_a_shell_is_offered_what_the_daemon_knows(environment, batches):
    def offered(*words):
        asked = {
            **environment,
            "_STEWARD_COMPLETE": "bash_complete",
            "COMP_WORDS": " ".join(["steward", *words]),
            "COMP_CWORD": str(len(words)),
        }
        ended = steward(asked)
        assert (ended.returncode, ended.stderr) == (0, "")
        return [line.partition(",")[2] for line in ended.stdout.splitlines() if line]

    assert offered("batch", "show", "lat") == ["latest"]
    assert set(batches) <= set(offered("batch", "show", ""))
    assert batches[0].partition("/")[2] in offered("batch", "show", batches[0][8:12])
    assert offered("schema", "show", "men") == ["mentorship_session"]
    assert offered("schema", "show", "language_session", "") == ["1.0", "1.1"]
    assert offered("validate", "--type", "mentorship_session", "--schema-version", "") == ["1.0"]
    assert "rating" in offered("quarantine", "list", "--field", "")
    assert offered("quarantine", "list", "--keyword", "ma") == ["maximum"]
    assert "valid.csv" in offered("batch", "download", "latest", "")
    assert len(offered("operation", "watch", "operations/")) >= 1
    environment["STEWARD_SERVER"] = "127.0.0.1:1"
    assert offered("batch", "show", "") == []


def test_operations_are_filtered_by_the_beginning_of_a_name_and_by_nothing_else(served):
    from google.longrunning import operations_pb2, operations_pb2_grpc

    with grpc.insecure_channel(served.address) as channel:
        stub = operations_pb2_grpc.OperationsStub(channel)

        def names(text):
            request = operations_pb2.ListOperationsRequest(filter=text)
            return [each.name for each in stub.ListOperations(request, timeout=10).operations]

        whole = names("")[0]
        assert names(f'name = "{whole[:24]}*"') == [whole]
        assert names('name="operations/ffff*"') == []
        for wrong in ("done = true", f'name = "{whole}"', 'name = "operations/nothing*"'):
            with pytest.raises(grpc.RpcError) as caught:
                names(wrong)
            assert caught.value.code() is grpc.StatusCode.INVALID_ARGUMENT
