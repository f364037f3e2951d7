"""Bulk runs: the one flow, many times.

`files` understands a file, `dry_run` tries it, `enqueueing` has its rows written to the log, the
senders send what `leases` lets them have; `worker` runs it all.
"""
