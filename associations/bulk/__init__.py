"""Bulk runs: many associations from a file or from pasted rows.

What people upload is read by `text` (bytes to lines), `table` (lines to records), `columns` (what
stands where) and `rows` (records to checked rows). These know no database.
"""
