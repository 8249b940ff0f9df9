"""What pg_restore writes to stderr, also where the lines of its parallel processes mix."""

from __future__ import annotations

from stewardd.backup.restoring.complaints import RestoreComplaints


def test_mixed_lines_of_parallel_processes_are_counted_and_are_no_complaint():
    complaints = RestoreComplaints()
    complaints.feed(b'pg_restore: pg_restore: processing data for table "public.a"processing ')
    complaints.feed(b'data for table "public.b"\n\npg_restore: processing data for table "c"\n')
    assert (complaints.begun_tables, complaints.text, complaints.issues) == (3, "", ())


def test_a_setting_that_an_older_server_does_not_know_is_no_complaint_and_hides_none():
    complaints = RestoreComplaints()
    complaints.feed(
        b"pg_restore: while INITIALIZING:\n"
        b"pg_restore: error: could not execute query: ERROR:  unrecognized configuration parameter "
        b'"transaction_timeout"\nCommand was: SET transaction_timeout = 0;\n'
        b"pg_restore: from TOC entry 3; 1259 1 TABLE t postgres\n"
        b'pg_restore: error: could not execute query: ERROR:  type "x" does not exist\nCommand was: CREATE TABLE t;\n'
        b"pg_restore: error: could not execute query: ERROR:  unrecognized configuration parameter "
        b'"transaction_timeout"\nCommand was: SET transaction_timeout = 0;\n'
        b"pg_restore: warning: errors ignored on restore: 3\n"
    )
    assert complaints.went_on
    (issue,) = complaints.issues
    assert (issue.error, issue.command) == ('ERROR: type "x" does not exist', "CREATE TABLE t;")
