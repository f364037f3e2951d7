"""The same as somebody builds it in a day, with the tools that are taken for it.

A yardstick for tests.benchmarks.submit, and for nothing else. PEER says which one: `plain`, with
`auditlog` or `simple_history` beside it, or with HubSpot's `sdk` as its client.
"""
