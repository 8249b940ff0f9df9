"""What pg_restore writes to stderr, also where the lines of its parallel processes mix."""

from __future__ import annotations

from stewardd.backup.restoring.complaints import RestoreComplaints


def test_mixed_lines_of_parallel_processes_are_counted_and_are_no_complaint():
    complaints = RestoreComplaints()
    complaints.feed(b'pg_restore: pg_restore: processing data for table "public.a"processing ')
    complaints.feed(b'data for table "public.b"\n\npg_restore: processing data for table "c"\n')
    assert (complaints.begun_tables, complaints.text, complaints.issues) == (3, "", ())
