"""Databases by the dozen: copies of one that is migrated, for the two roles of PostgreSQL.

On PostgreSQL a copy is made from a template, on SQLite it is a copy of a file. Whatever is done to
one within `undone()` is rolled back, as whatever role it was done.
"""

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from django.core.management import call_command
from django.db import connection, transaction

from associations.gateway import rate_limiter
from tests.associations.audit.integrity.processes import database_url
from tests.associations.audit.integrity.serving import run_the_script

SERVING, OWNER = "serving", "owner"
ROLES = (SERVING, OWNER)


def on_postgresql() -> bool:
    return connection.vendor == "postgresql"


def use(name: str) -> None:
    """Let Django work on the database of this name (a file, on SQLite) from now on."""
    connection.close()
    rate_limiter.close()
    connection.settings_dict["NAME"] = name


def execute(*statements: str) -> None:
    with connection.cursor() as cursor:
        for statement in statements:
            cursor.execute(statement)


def rows_of(statement: str) -> list[tuple]:
    with connection.cursor() as cursor:
        cursor.execute(statement)
        return cursor.fetchall()


def next_numbers() -> dict[str, tuple[int, bool]]:
    """How far each sequence has come: PostgreSQL takes no number back that was rolled back."""
    if not on_postgresql():
        return {}
    names = [name for (name,) in rows_of("SELECT sequencename FROM pg_sequences")]
    return {name: rows_of(f"SELECT last_value, is_called FROM {name}")[0] for name in names}


def set_back(numbers: dict[str, tuple[int, bool]]) -> None:
    if numbers:
        all_of_them = (f"setval('{name}', {at}, {used})" for name, (at, used) in numbers.items())
        execute(f"SELECT {', '.join(all_of_them)}")


@contextmanager
def undone() -> Iterator[None]:
    """One transaction, rolled back; within it, what has to be the outermost one may begin."""
    block = transaction.atomic()
    block._from_testcase = True
    with block:
        try:
            yield
        finally:
            transaction.set_rollback(True)


class Databases:
    """Use it by `with`; what it has made goes with it."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.home = folder, connection.settings_dict["NAME"]
        self.prefix = f"log{os.getpid()}"
        self.empty, self.made = self.name_of("empty"), list[str]()

    def __enter__(self) -> "Databases":
        if on_postgresql():
            self._make_for_two_roles()
        else:
            use(self.empty)
            migrate()
        return self

    def __exit__(self, *error: object) -> None:
        use(self.home)
        for name in [*self.made, self.empty]:
            self._drop(name)
        if on_postgresql():
            for role in (self.role(SERVING), self.role(OWNER)):
                execute(f"DROP ROLE IF EXISTS {role}")

    def name_of(self, what: str) -> str:
        name = f"{self.prefix}_{what}"
        return name if on_postgresql() else str(self.folder / f"{name}.sqlite3")

    def role(self, who: str) -> str:
        return f"{self.empty}_owner" if who == OWNER else self.empty

    def copy(self, what: str, of: str = "") -> str:
        """Make one more, and use it."""
        name, source = self.name_of(what), of or self.empty
        use(self.home)  # whoever is connected keeps a template from being copied, or a file whole
        if on_postgresql():
            execute(f"CREATE DATABASE {name} TEMPLATE {source} OWNER {self.role(OWNER)}")
        else:
            shutil.copyfile(source, name)
        self.made.append(name)
        use(name)
        return name

    def drop(self, name: str) -> None:
        use(self.home)
        self._drop(name)
        self.made.remove(name)

    @contextmanager
    def as_role(self, who: str) -> Iterator[None]:
        """On PostgreSQL whatever is done in here is done by that role; SQLite has none."""
        if not on_postgresql():
            yield
            return
        execute(f"SET ROLE {self.role(who)}")
        try:
            yield
        except Exception:
            if not connection.in_atomic_block:  # else it is forgotten as that is rolled back
                execute("RESET ROLE")
            raise
        execute("RESET ROLE")

    def _drop(self, name: str) -> None:
        if on_postgresql():
            execute(f"DROP DATABASE IF EXISTS {name} WITH (FORCE)")
        else:
            for path in Path(name).parent.glob(f"{Path(name).name}*"):
                path.unlink()

    def _make_for_two_roles(self) -> None:
        """By the script that an administrator runs before `migrate` and after it."""
        run_the_script(database_url(), self.empty)
        use(self.empty)  # as where a cluster comes from before PostgreSQL 15
        execute("GRANT CREATE ON SCHEMA public TO PUBLIC")
        run_the_script(database_url(), self.empty)
        with self.as_role(OWNER):
            migrate()
        run_the_script(database_url(), self.empty)


def migrate(*arguments: str) -> None:
    call_command("migrate", *arguments, verbosity=0, interactive=False)
