"""Good rows come out under the header of their file, whatever order its columns are in."""

import csv
import io

import pytest
from stewardd.errors import Corrupt
from stewardd.quarantine.exporting.export_file import ExportFormat, ExportRequest
from stewardd.quarantine.finding.row_filter import RowFilter
from stewardd.repository.backend.folder.store import FolderStore

from tests.support.quarantine_world import make_world

REORDERED = b' scheduled_at ,"session_id",participant_email,volunteer_email\n'
SHORT = b"2025-01-02,S2,b@example.org\n"


@pytest.fixture
async def world(tmp_path):
    made = await make_world(FolderStore(tmp_path / "repository"), tmp_path)
    yield made
    await made.close()


async def good(world, batch_id, *, valid):
    request = ExportRequest(batch_id, None, ExportFormat.CSV, RowFilter(), valid, valid)
    body = (await world.download(request)).decode()
    return [
        {column.strip(): cell for column, cell in row.items()}
        for row in csv.DictReader(io.StringIO(body))
    ]


@pytest.mark.parametrize("valid", [False, True])
async def test_a_corrected_row_of_too_few_cells_stands_under_the_files_own_header(world, valid):
    """No quarantined row has all its cells, so that none of them tells the order."""
    rows = b"2025-01-0%d,S%d,a@example.org,bo@example.org\n"
    batch_id = await world.publish(REORDERED + rows % (1, 1) + SHORT + rows % (3, 3))
    await world.corrections.correct(batch_id, 2, {"volunteer_email": "bo@example.org"})
    found = await good(world, batch_id, valid=valid)
    assert [row["session_id"] for row in found] == (["S1", "S2", "S3"] if valid else ["S2"])
    assert [row["scheduled_at"] for row in found if row["session_id"] == "S2"] == ["2025-01-02"]
    (exported,) = [row for row in found if row["session_id"] == "S2"]
    assert exported["participant_email"] == "b@example.org"
    assert exported["volunteer_email"] == "bo@example.org"


async def test_rows_are_not_written_under_a_header_of_other_columns(world):
    rows = b"2025-01-01,S1,a@example.org,bo@example.org\n"
    batch_id = await world.publish(REORDERED + rows + SHORT)
    await world.corrections.correct(batch_id, 2, {"volunteer_email": "bo@example.org"})
    folder = (await world.catalog.get(batch_id)).folder
    await world.store.put(f"{folder}/valid.csv", b"session_id\nS1\n", overwrite=True)
    with pytest.raises(Corrupt, match=r"valid\.csv"):
        await good(world, batch_id, valid=True)
