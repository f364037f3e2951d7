"""`manage.py setup`: the files of settings, and what else this host needs, from a few answers."""
