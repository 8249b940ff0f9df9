"""docs/guides/other-languages.md, executed as it stands there: by grpcurl, or by its stand-in where there is none."""

import json
import re
import shutil
import sys
from pathlib import Path

import pytest
from google.protobuf.descriptor_pb2 import FileDescriptorSet
from google.protobuf.descriptor_pool import DescriptorPool

from tests.support.guides import DOCS, Command, Walk

PAGE = "guides/other-languages.md"
CALL = "grpcurl -plaintext"


@pytest.fixture(scope="module")
def walked(session_folder):
    walk = Walk(session_folder / "guide-languages", path=(session_folder / "stand-in",))
    if shutil.which("grpcurl") is None:
        _stand_in(session_folder / "stand-in" / "grpcurl")
    try:
        walk.folder.mkdir()
        walk.folder.chmod(0o711)
        walk.start()
        yield walk.through(PAGE)
    finally:
        walk.close()


def _stand_in(program):
    program.parent.mkdir()
    root = Path(__file__).parents[2]
    program.write_text(
        f'#!/bin/sh\nPYTHONPATH="{root}" exec "{sys.executable}" -m tests.support.grpcurl "$@"\n'
    )
    program.chmod(0o755)


def documents(text):
    found, decoder, text = [], json.JSONDecoder(), text.strip()
    while text:
        document, end = decoder.raw_decode(text)
        found.append(document)
        text = text[end:].lstrip()
    return found


def answers(walked, method):
    return [
        documents(each.stdout)
        for each in walked.finished
        if each.line.split("    #")[0].find(f"/{method}") > 0
    ]


def test_the_page_names_every_service_and_method(walked):
    text = (DOCS / PAGE).read_text()
    services = walked.output(f"{CALL} localhost:50551 list")[0].split()
    assert "steward.v1.QuarantineService" in services
    for service in services:
        if service.startswith("grpc.reflection"):
            continue
        assert f"`{service}`" in text
        walked.run(Command(f"{CALL} localhost:50551 list {service}", 0))
        for method in walked.finished[-1].stdout.split():
            if not service.startswith("grpc."):
                assert re.search(rf"`{method.rpartition('.')[2]}`", text), method


def test_the_messages_come_in_the_order_of_the_page(walked):
    first, again, cut = answers(walked, "ValidateBatch")
    kinds = [next(iter(message)) for message in first]
    assert kinds[0] == "accepted"
    assert kinds[-1] == "summary"
    assert set(kinds[1:-1]) <= {"progress"}
    batch = first[-1]["summary"]["batch"]
    assert (batch["totalRows"], batch["validRows"], batch["quarantinedRows"]) == ("2", "1", "1")
    assert batch["name"] == first[0]["accepted"]["batch"] == again[-1]["summary"]["batch"]["name"]
    assert not any("summary" in message for message in cut)


def test_a_repeated_request_made_one_batch(walked):
    ((page,),) = answers(walked, "ListBatches")
    assert len(page["batches"]) == 1
    assert "nextPageToken" not in page


def test_the_row_is_corrected(walked):
    ((listed,),) = answers(walked, "ListQuarantinedRows")
    assert listed["rows"][0]["violations"][0]["field"] == "rating"
    ((row,),) = answers(walked, "CorrectRow")
    assert row["state"] == "ROW_STATE_RESOLVED"


def test_the_operation_ends_in_a_backup(walked):
    ((done,),) = answers(walked, "WaitOperation")
    assert done["done"] is True
    assert done["response"]["@type"].endswith("/steward.v1.Backup")
    assert done["response"]["description"] == "weekly"


def test_errors_have_the_details_that_the_page_names(walked):
    cut, missing = (
        each.stderr
        for each in walked.finished
        if each.line.endswith(("/GetBatch", "/ValidateBatch")) and each.stderr
    )
    assert "UPLOAD_INCOMPLETE" in cut
    assert "BATCH_NOT_FOUND" in missing
    assert "steward.v1" in missing
    assert "hint" in missing


def test_the_descriptor_set_needs_no_other_file(walked):
    stored = FileDescriptorSet.FromString((walked.folder / "validation.binpb").read_bytes())
    pool = DescriptorPool()
    for file in stored.file:
        pool.Add(file)
    service = pool.FindServiceByName("steward.v1.ValidationService")
    assert "ValidateBatch" in service.methods_by_name
