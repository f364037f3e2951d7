"""What a process needs to do its work, for /readyz; an app adds its own when it is ready."""

from collections.abc import Callable

from django.db import connection
from django.db.migrations.executor import MigrationExecutor


def missing_migrations() -> list[str]:
    executor = MigrationExecutor(connection)
    plan = executor.migration_plan(executor.loader.graph.leaf_nodes())
    return [f"{migration.app_label}.{migration.name}" for migration, _ in plan]


# Each returns what is missing; in this order, the first that misses something is told.
CHECKS: dict[str, Callable[[], list[str]]] = {"migrations": missing_migrations}
