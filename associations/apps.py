from collections.abc import Sequence
from typing import Any

from django.apps import AppConfig
from django.db.models.signals import post_migrate, pre_migrate


class AssociationsConfig(AppConfig):
    name = "associations"

    def ready(self) -> None:
        from associations import checks  # noqa: F401 - importing registers them
        from associations.audit import security_events
        from associations.audit.integrity import candidates, strangers, triggers
        from hubadmin.web import readiness
        from hubadmin.web.security_events import security_event

        security_event.connect(security_events.keep)
        readiness.CHECKS["triggers"] = triggers.problems
        readiness.WARNINGS["unreadable"] = candidates.find_unreadable
        readiness.WARNINGS["strangers"] = strangers.find_strangers
        pre_migrate.connect(_before_migrate, sender=self)
        post_migrate.connect(_after_migrate, sender=self)


def _before_migrate(
    *, using: str, plan: Sequence[tuple[object, bool]] | None = None, **kwargs: Any
) -> None:
    from associations.audit.integrity import constraints, triggers

    if plan:
        triggers.make_way(using, is_backwards=any(is_backwards for _, is_backwards in plan))
        constraints.lift(using)


def _after_migrate(
    *, using: str, plan: Sequence[object] | None = None, stdout: Any = None, **kwargs: Any
) -> None:
    from associations.audit.integrity import constraints, triggers

    triggers.install(using)
    constraints.restore(using, say=stdout, is_changed=bool(plan))
