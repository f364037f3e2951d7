"""A database to upgrade, with as many entries as are wanted: PostgreSQL's with its two roles."""

import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any, Self

import psycopg

from tests.associations.audit.integrity.serving import run_the_script

Rows = list[tuple[Any, ...]]
ENTRY, ATTEMPT = "associations_associationrequest", "associations_associationattempt"


class Database:
    """What both have in common. `url` is for who serves, `owner_url` for who migrates."""

    url: str
    owner_url: str

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        pass

    def grant(self) -> None:
        """As after each `migrate`."""

    def run(self, *statements: str) -> tuple[list[str], Rows]:
        """All of them or none; names of columns, and rows, of the last one."""
        raise NotImplementedError

    def rows(self, statement: str) -> Rows:
        return self.run(statement)[1]

    def fill(self, count: int) -> None:
        """Copy the newest entry and its attempt so often, whatever columns this release has.

        At once: the sealer, which is at work, is not to find entries without their attempts.
        """
        ((newest,),) = self.rows(f"SELECT max(id) FROM {ENTRY}")
        self.run(
            self._copy(ENTRY, f"id = {newest}", count, submit_key="'filled-' || n"),
            self._copy(ATTEMPT, f"request_id = {newest}", count, request_id=f"{newest} + n"),
        )

    def _copy(self, table: str, which: str, count: int, **values: str) -> str:
        names = [name for name in self.run(f"SELECT * FROM {table} LIMIT 0")[0] if name != "id"]
        return (
            f"INSERT INTO {table} ({', '.join(names)}) WITH RECURSIVE numbers(n) AS "
            f"(SELECT 1 UNION ALL SELECT n + 1 FROM numbers WHERE n < {count}) "
            f"SELECT {', '.join(values.get(name, name) for name in names)} "
            f"FROM {table}, numbers WHERE {which} ORDER BY n"
        )


class PostgreSQL(Database):
    """Made by the script of the roles, and gone when it is left, with them."""

    def __init__(self, server: str, name: str) -> None:
        """`server` is the address of a database there, by somebody who may make others."""
        self._server, self._name = server, name
        at = server.rpartition("/")[0].rpartition("@")[2]
        self.url = f"postgres://{name}:{name}@{at}/{name}"
        self.owner_url = f"postgres://{name}_owner:{name}@{at}/{name}"

    def __enter__(self) -> Self:
        self.grant()
        return self

    def __exit__(self, *_: object) -> None:
        with psycopg.connect(self._server, autocommit=True) as server:
            server.execute(f"DROP DATABASE {self._name} WITH (FORCE)")
            server.execute(f"DROP ROLE {self._name}, {self._name}_owner")

    def grant(self) -> None:
        passwords = dict.fromkeys(("HUBADMIN_OWNER_PASSWORD", "HUBADMIN_PASSWORD"), self._name)
        run_the_script(self._server, self._name, **passwords)

    def run(self, *statements: str) -> tuple[list[str], Rows]:
        with psycopg.connect(self.owner_url) as database:
            *_, found = [database.execute(each) for each in statements]
            names = [column.name for column in found.description or ()]
            return names, found.fetchall() if names else []


class SQLite(Database):
    def __init__(self, file: Path) -> None:
        self._file, self.url = file, f"sqlite:///{file}"
        self.owner_url = self.url

    def run(self, *statements: str) -> tuple[list[str], Rows]:
        with closing(sqlite3.connect(self._file, timeout=60)) as database, database:
            *_, found = [database.execute(each) for each in statements]
            names = [column[0] for column in found.description or ()]
            return names, found.fetchall()
