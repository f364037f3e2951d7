"""Somebody who has got hold of the role that serves: no more rights than hubadmin/README.md gives.

On SQLite, where there are no roles, whatever the triggers let through.
"""

import re
from collections.abc import Iterator
from contextlib import contextmanager

from django.conf import settings
from django.db import connection, transaction

from tests.associations.audit.integrity.base import LogMixin, on_postgresql, sql


def steps_of_the_readme(name: str) -> list[str]:
    """Its SQL, step by step, for roles and a database of another name."""
    text = (settings.BASE_DIR / "hubadmin" / "README.md").read_text().split("## PostgreSQL")[1]
    block = re.search(r"```sql\n(.*?)```", text, re.S)[1].replace("'…'", "'secret'")
    named = re.sub(r"\bhubadmin(_owner)?\b", rf"{name}\1", block)
    return re.split(r"^--.*\n", named, flags=re.M)[1:]


def serving_role() -> str:
    return f"{connection.settings_dict['NAME']}_serving"


def add_serving_role() -> None:
    """As long as the transaction of the test lasts; the tables are there already."""
    name = serving_role()
    sql(f"CREATE ROLE {name}")
    sql(f"GRANT SELECT, INSERT ON ALL TABLES IN SCHEMA public TO {name}")
    sql(f"GRANT USAGE ON ALL SEQUENCES IN SCHEMA public TO {name}")
    for statement in steps_of_the_readme(name)[-1].split(";\n"):
        if statement.strip():
            sql(statement)


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
