"""Bulk runs: the one flow, many times.

`reading` understands a file, `staging` tries it dry, `queueing` writes its rows to the log,
`sending` sends what `leases` lets it have, `closing` closes; `worker` runs it all.
"""
