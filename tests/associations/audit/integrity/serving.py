"""Somebody who has got hold of the role that serves: no more rights than the script of roles gives.

On SQLite, where there are no roles, whatever the triggers let through.
"""

import os
import re
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager

from django.conf import settings
from django.db import connection, transaction

from tests.associations.audit.integrity.base import LogMixin, on_postgresql, sql

SCRIPT = settings.BASE_DIR / "hubadmin" / "deploy" / "postgresql-roles.sql"


def run_the_script(address: str, name: str, **environment: str) -> None:
    """As an administrator does, for a database and roles of this name. Raises AssertionError."""
    names = f"database={name}", f"owner={name}_owner", f"serving={name}"
    variables = [f"--set={each}" for each in names]
    ended = subprocess.run(
        [shutil.which("psql") or "psql", address, "--no-psqlrc", *variables, "--file", SCRIPT],
        env={"PATH": os.environ["PATH"]} | environment,
        capture_output=True,
        text=True,
        timeout=60,
    )
    if ended.returncode or ended.stdout or ended.stderr:
        raise AssertionError(ended.stdout + ended.stderr)


def rights(**names: str) -> Iterator[tuple[str, bool]]:
    """The statements of its transaction, for roles of these names; whether each writes others."""
    text = re.search(r"^BEGIN;\n(.+)^COMMIT;", SCRIPT.read_text(), re.M | re.S)[1]
    for name, value in names.items():
        text = text.replace(f':"{name}"', value).replace(f":'{name}'", f"'{value}'")
    for statement, end in re.findall(r"(.+?)(;| \\gexec)$", re.sub("--.*", "", text), re.M | re.S):
        yield statement, end != ";"


def serving_role() -> str:
    return f"{connection.settings_dict['NAME']}_serving"


def add_serving_role() -> None:
    """As long as the transaction of the test lasts; the tables are there already."""
    name = serving_role()
    sql(f"CREATE ROLE {name}")
    ((owner,),) = sql("SELECT current_user")
    for statement, writes_others in rights(owner=owner, serving=name):
        for (written,) in sql(statement) if writes_others else [(statement,)]:
            sql(written)


@contextmanager
def as_serving() -> Iterator[None]:
    with transaction.atomic():
        if on_postgresql():
            sql(f"SET LOCAL ROLE {serving_role()}")
        yield
        if on_postgresql():
            sql("RESET ROLE")


class ServingMixin(LogMixin):
    def setUp(self) -> None:
        super().setUp()
        if on_postgresql():
            add_serving_role()
