"""`steward validate` as somebody runs it: a process, its output and its exit code."""

import json
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.support.call_proxy import ANSWERED, COMMIT, failing
from tests.support.waiting import wait_until

ARGV = [sys.executable, "-m", "steward_client.command"]


def test_a_file_without_fault_exits_0_with_a_report(steward, good_notes):
    ended = steward("validate", good_notes)
    assert (ended.returncode, ended.stderr) == (0, "")
    assert f"{good_notes}: all rows are valid" in ended.stdout
    assert "note 1.0" in ended.stdout
    assert "quarantine show" not in ended.stdout


def test_rows_in_quarantine_exit_1_and_say_what_to_do_next(steward, server, notes):
    ended = steward("validate", notes)
    assert ended.returncode == 1
    (batch,) = server.batches
    assert f"steward quarantine show {batch}" in ended.stdout
    assert "valid        2  66.7 %" in ended.stdout
    assert "quarantined  1  33.3 %" in ended.stdout
    assert "rating        1" in ended.stdout
    assert "maximum        1" in ended.stdout
    assert "\x1b" not in ended.stdout


def test_the_worst_of_several_files_counts_and_all_are_seen_to(
    steward, server, notes, good_notes, tmp_path
):
    bad = tmp_path / "bad.csv"
    bad.write_text("rating\n1\n")
    ended = steward("validate", bad, "missing.csv", good_notes, notes)
    assert ended.returncode == 3
    assert len(server.batches) == 2
    refusal = rf"{bad}: .*\bid\b.* \[HEADER_REFUSED\]\n  next: "
    assert re.search(refusal, ended.stderr), ended.stderr
    assert (
        "missing.csv: no such file or directory [FILE_UNUSABLE]\n  next: check the path"
        in ended.stderr
    )
    assert steward("validate", notes, good_notes).returncode == 1


def test_json_is_one_document_with_every_file(steward, notes):
    ended = steward("validate", notes, "missing.csv", "--output", "json")
    document = json.loads(ended.stdout)
    assert document["exit_code"] == ended.returncode == 3
    first, second = document["files"]
    assert first["file"] == str(notes)
    assert first["exit_code"] == 1
    assert first["error"] is None
    assert first["batch"]["quarantined_rows"] == 1
    assert first["batch"]["errors_by_keyword"] == {"maximum": 1}
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT[\d:.]+Z", first["batch"]["create_time"])
    assert (second["batch"], second["exit_code"]) == (None, 3)
    assert second["error"]["reason"] == "FILE_UNUSABLE"


def test_options_stand_before_or_after_the_command(steward, good_notes):
    for arguments in (
        ["--output", "json", "validate", good_notes],
        ["validate", "--output=json", good_notes],
    ):
        assert json.loads(steward(*arguments).stdout)["exit_code"] == 0


def test_the_server_comes_from_the_option_before_the_environment(
    steward, environment, server, good_notes
):
    environment["STEWARD_SERVER"] = "localhost:1"
    refused = steward("validate", good_notes)
    assert refused.returncode == 3
    assert "no daemon answers at localhost:1" in refused.stderr
    assert "stewardd --listen localhost:1" in refused.stderr
    assert steward("validate", "--server", server.address, good_notes).returncode == 0
    assert steward("--server", server.address, "validate", good_notes).returncode == 0


def test_every_option_reaches_the_daemon(steward, server, notes):
    steward(
        "validate", "--type", "note", "--schema-version", "1.0", "--strict", "--accept-recovered", "--delimiter", "tab",
        "--source-file", "other.csv", "--request-id", "every-option", notes,
    )  # fmt: skip
    (opened,) = server.opens
    options = opened.options
    assert (opened.schema, opened.schema_version, opened.request_id) == (
        "schemas/note",
        "1.0",
        "every-option",
    )
    assert opened.source_file == "other.csv"
    assert (options.strict, options.accept_recovered, options.keep_valid_rows) == (
        True,
        True,
        False,
    )
    assert options.delimiter == "\t"


def test_stdin_is_read(steward, server, notes):
    with notes.open("rb") as file:
        assert steward("validate", "-", stdin=file).returncode == 1
    piped = steward("validate", "-", "--source-file", "p.csv", text="id,rating\na,0.5\n")
    assert piped.returncode == 0
    assert [opened.source_file for opened in server.opens] == ["stdin", "p.csv"]


def test_a_uri_and_a_path_of_the_daemons_are_read_by_it(steward, server, noted):
    inbox = noted.data_dir.parent / "inbox"
    for name in ("a.csv", "b.csv"):
        (inbox / name).write_text("id,rating\na,0.5\n")
    assert steward("validate", "--uri", f"file://{inbox}/a.csv", "b.csv", cwd=inbox).returncode == 0
    assert [opened.uri for opened in server.opens] == [
        f"file://{inbox}/a.csv",
        f"file://{inbox}/b.csv",
    ]


def test_valid_rows_go_to_a_path(steward, notes, tmp_path):
    ended = steward("validate", notes, "--valid-out", tmp_path / "valid.csv")
    assert ended.returncode == 1
    assert (tmp_path / "valid.csv").read_text() == "id,rating\na,0.5\nc,\n"
    assert str(tmp_path / "valid.csv") in ended.stdout


def test_valid_rows_of_several_files_go_to_a_folder(steward, notes, good_notes, tmp_path):
    assert steward("validate", notes, good_notes, "--valid-out", tmp_path / "out").returncode == 1
    assert {path.name for path in (tmp_path / "out").iterdir()} == {
        "notes.valid.csv",
        "good.valid.csv",
    }


def test_valid_rows_never_overwrite_what_is_read(steward, notes, good_notes, tmp_path):
    before = notes.read_bytes()
    assert steward("validate", notes, "--valid-out", notes).returncode == 2
    link = tmp_path / "link.csv"
    link.symlink_to(notes)
    assert steward("validate", notes, "--valid-out", link).returncode == 2
    (tmp_path / "sub").mkdir()
    twin = tmp_path / "sub" / "notes.csv"
    twin.write_bytes(before)
    assert steward("validate", notes, twin, "--valid-out", tmp_path / "out").returncode == 2
    assert steward("validate", notes, good_notes, "--valid-out", twin).returncode == 2
    assert notes.read_bytes() == twin.read_bytes() == before


@pytest.mark.parametrize(
    "place", ["/proc/nope/valid.csv", "missing/valid.csv", "x" * 230, "/dev/null"]
)
def test_a_place_that_cannot_be_written_is_found_before_anything_is_sent(
    steward, server, notes, place
):
    ended = steward("validate", notes, "--valid-out", place, "--output", "json")
    document = json.loads(ended.stdout)["files"][0]
    assert ended.returncode == document["exit_code"] == 3
    assert document["batch"] is None
    assert document["error"]["code"] == "FILE"
    assert server.calls["ValidateBatch"] == 0


def test_looking_at_the_place_leaves_nothing_and_touches_nothing(steward, notes, tmp_path):
    out = tmp_path / "out"
    out.mkdir()
    (out / "valid.csv").write_text("old")
    (tmp_path / "bad.csv").write_text("rating\n1\n")
    ended = steward("validate", tmp_path / "bad.csv", "--valid-out", out / "valid.csv")
    assert ended.returncode == 3
    assert [path.name for path in out.iterdir()] == ["valid.csv"]
    assert (out / "valid.csv").read_text() == "old"


def test_what_cannot_be_written_any_more_exits_3_and_names_the_batch_that_is_there(
    steward, server, notes, tmp_path
):
    (tmp_path / "out").mkdir()
    server.fail("ValidateBatch", lambda _call: (tmp_path / "out").rmdir(), at=ANSWERED)
    ended = steward(
        "validate", notes, "--valid-out", tmp_path / "out" / "valid.csv", "--output", "json"
    )
    document = json.loads(ended.stdout)["files"][0]
    assert ended.returncode == document["exit_code"] == 3
    assert document["batch"]["name"].startswith("batches/")
    assert document["error"]["code"] == "FILE"


@pytest.mark.parametrize(
    "arguments",
    [
        ["validate"],
        ["validate", "--no-such-option", "x"],
        ["validate", "--delimiter", "x", "a.csv"],
        ["validate", "--request-id", "r", "a.csv", "b.csv"],
        ["--output", "xml", "health"],
        ["--timeout", "0", "health"],
        ["--server", "http://localhost:1", "health"],
        ["frobnicate"],
        [],
    ],
)
def test_wrong_usage_exits_2_and_says_where_help_is(steward, server, arguments):
    ended = steward(*arguments)
    assert ended.returncode == 2
    assert ended.stdout == ""
    assert "next: " in ended.stderr
    assert "Traceback" not in ended.stderr


def test_escape_sequences_never_reach_the_terminal_raw(steward, server, tmp_path):
    evil = "\x1b]0;owned\x07\x9b31m\u202e"
    name = tmp_path / f"{evil.replace('/', '')}.csv"
    name.write_text(f"id,rating,{evil}\n{evil},7,\n", encoding="utf-8")
    server.fail("GetBackup", failing("NOT_FOUND", "X", f"message {evil}", f"hint {evil}"))
    outputs = [steward("validate", name)]
    (batch,) = server.batches
    outputs += [
        steward("quarantine", "show", batch),
        steward("quarantine", "show", batch, "--output", "json"),
        steward("batch", "list"),
        steward("batch", "show", batch),
        steward("backup", "show", "x"),
        steward("schema", "detect", name),
        steward("validate", f"no{evil}"),
        steward(f"no{evil}"),
    ]
    for ended in outputs:
        for raw in ("\x1b", "\x07", "\x9b", "\u202e"):
            assert raw not in ended.stdout + ended.stderr, ended.args


def test_rich_markup_in_names_is_text(steward, tmp_path):
    name = tmp_path / "[bold]x.csv"
    name.write_text("id,[red]y[/]\n1,2\n")
    assert "[bold]x.csv" in steward("validate", name).stdout
    assert "[red]y[/]" in steward("validate", name).stdout


def test_a_terminal_that_knows_ascii_only_gets_escapes_not_a_crash(steward, environment, notes):
    environment.update(PYTHONIOENCODING="ascii", LC_ALL="C", PYTHONUTF8="0")
    assert steward("validate", notes).returncode == 1


def interrupt(process: subprocess.Popen[str]) -> tuple[int, str, str]:
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=20)
    return process.returncode, out, err


def start(
    environment: dict[str, str], *arguments: object, stdin: int | None = None
) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [*ARGV, *map(str, arguments)],
        env=environment,
        text=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        stdin=stdin,
    )


def test_ctrl_c_in_mid_upload_cancels_the_call_and_says_that_nothing_was_published(
    environment, server, notes
):
    # A pipe that stays open keeps Commit back.
    reading, writing = os.pipe()
    process = start(environment, "validate", "-", stdin=reading)
    os.close(reading)
    os.write(writing, b"id,rating\na,0.5\n")
    wait_until(lambda: server.responses)  # it has accepted the header
    code, _, err = interrupt(process)
    os.close(writing)
    assert code == 130
    assert "interrupted; nothing was published" in err
    assert "Traceback" not in err
    assert server.cancelled.wait(5)
    assert server.batches == []


def test_ctrl_c_after_all_was_sent_does_not_promise_too_much(environment, server, notes):
    reached = []

    def hold(call):
        reached.append(call)
        time.sleep(2)

    server.fail("ValidateBatch", hold, at=COMMIT)
    process = start(environment, "validate", notes, "--output", "json")
    wait_until(lambda: reached)
    code, out, err = interrupt(process)
    assert code == 130
    document = json.loads(out)
    error = document["files"][0]["error"]
    assert document["exit_code"] == 130
    assert "may have been published" in error["message"]
    assert error["metadata"]["request_id"] == server.opens[0].request_id
    assert f"--request-id {server.opens[0].request_id}" in err


def test_ctrl_c_leaves_the_other_files_alone(environment, server, notes, good_notes):
    reached = []

    def hold(call):
        reached.append(call)
        time.sleep(2)

    server.fail("ValidateBatch", hold, at=COMMIT)
    process = start(environment, "validate", notes, good_notes)
    wait_until(lambda: reached)
    assert interrupt(process)[0] == 130
    assert len(server.opens) == 1


def test_a_reader_that_goes_away_is_no_error_of_ours(environment, server, client):
    batch = client.validate_file(b"id,rating\n" + b"x,7\n" * 3000)
    reading, writing = os.pipe()
    process = subprocess.Popen(
        [*ARGV, "quarantine", "show", batch.name, "--output", "json"],
        env=environment,
        stdout=writing,
        stderr=subprocess.PIPE,
        text=True,
    )
    os.close(writing)
    os.read(reading, 10)
    os.close(reading)
    _, err = process.communicate(timeout=30)
    assert (process.returncode, err) == (141, "")


def test_a_crash_exits_3_with_one_line_and_debug_tells_more(steward, server):
    def broken(schema):
        schema.document = "{"  # no daemon answers this
        return schema

    server.changes["GetSchema"] = broken
    ended = steward("schema", "show", "note", "--document")
    told = steward("schema", "show", "note", "--document", "--debug")
    assert ended.returncode == told.returncode == 3
    assert "Traceback" not in ended.stderr
    assert "--debug" in ended.stderr
    assert "Traceback" in told.stderr


def test_debug_shows_the_story_of_a_refused_file_too(steward, tmp_path):
    (tmp_path / "bad.csv").write_text("rating\n1\n")
    assert "Traceback" in steward("validate", "bad.csv", "--debug").stderr


def run_in_terminal(environment: dict[str, str], *arguments: object, cwd: Path) -> str:
    import pty

    leader, follower = pty.openpty()
    process = subprocess.Popen(
        [*ARGV, *map(str, arguments)],
        env=environment,
        stdin=follower,
        stdout=follower,
        stderr=follower,
        cwd=cwd,
    )
    os.close(follower)
    seen = b""
    while True:
        try:
            piece = os.read(leader, 65536)
        except OSError:
            break
        if not piece:
            break
        seen += piece
    process.wait(30)
    os.close(leader)
    return seen.decode()


def test_a_terminal_sees_a_bar_and_colours_unless_it_says_no(environment, server, notes, tmp_path):
    environment["TERM"] = "xterm-256color"
    environment.pop("NO_COLOR", None)
    server.fail("ValidateBatch", *[lambda _call: time.sleep(0.5)] * 2, at=COMMIT)
    shown = run_in_terminal(environment, "validate", notes, cwd=tmp_path)
    assert "━" in shown
    assert "\x1b[1;33m" in shown
    environment["NO_COLOR"] = "1"
    plain = run_in_terminal(environment, "validate", notes, cwd=tmp_path)
    assert "\x1b[1;33m" not in plain
    assert "\x1b[33" not in plain
