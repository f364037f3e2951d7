"""Bulk runs: the one flow, many times.

`files` understands a file, `staging` keeps its rows, `dry_run` tries them, `enqueueing` has them
written to the log, the senders send what `leases` lets them have; `worker` runs it all.
"""
