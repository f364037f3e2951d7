"""Who the person is. People come from the company's identity provider and are never deleted.

And which of its sessions theirs came of, so that the provider can end them.
"""

from typing import TYPE_CHECKING

from django.contrib.auth.base_user import AbstractBaseUser
from django.db import models

if TYPE_CHECKING:
    from hubadmin.sso.told import Told


class Role(models.TextChoices):
    NONE = "", "No access"
    SUPPORT = "support", "Support"
    ADMIN = "admin", "Admin"


class User(AbstractBaseUser):
    """One person, known by (issuer, subject): an e-mail address may change hands, this pair not."""

    password = None  # type: ignore[assignment]  # Django's way to do without: nobody has one here

    issuer = models.CharField(max_length=255)
    subject = models.CharField(max_length=255)
    email = models.CharField(max_length=254, blank=True)
    name = models.CharField(max_length=200)
    role = models.CharField(max_length=10, choices=Role, blank=True, default=Role.NONE)
    is_active = models.BooleanField(default=True)
    created_at = models.DateTimeField(auto_now_add=True)

    # Not stored: what their sign-in has just told of their groups, where none gives a role.
    told: "Told | None" = None

    objects = models.Manager()

    USERNAME_FIELD = "id"
    EMAIL_FIELD = "email"
    REQUIRED_FIELDS = []

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["issuer", "subject"], name="one_user_per_subject")
        ]

    def __str__(self) -> str:
        return self.name

    @property
    def is_admin(self) -> bool:
        return self.role == Role.ADMIN

    def get_session_auth_hash(self) -> str:
        """There is no password whose change could end the sessions: SSO ends them."""
        return f"{self.issuer} {self.subject}"

    def get_session_auth_fallback_hash(self) -> tuple[str, ...]:
        return ()


class ProviderSession(models.Model):
    """Which person a session is of, and which session at the provider it came of.

    Django's own table tells neither. The row goes with the session, however that ends.
    """

    session = models.OneToOneField(
        "sessions.Session", models.CASCADE, primary_key=True, related_name="at_provider"
    )
    user = models.ForeignKey(User, models.CASCADE, related_name="+")
    sid = models.CharField(max_length=255, blank=True)  # empty: the provider does not tell it

    class Meta:
        indexes = [models.Index(fields=["sid"], name="session_by_sid")]

    def __str__(self) -> str:
        return f"a session of {self.user_id}"


class ProviderLogout(models.Model):
    """What the provider has lately told of who signed out there.

    Kept for some minutes: against a repetition, and for a sign-in that was still under way.
    """

    jti = models.CharField(max_length=255, unique=True)
    subject = models.CharField(max_length=255, blank=True)
    sid = models.CharField(max_length=255, blank=True)
    issued_at = models.BigIntegerField(db_index=True)  # by the provider's clock, as in ID tokens

    def __str__(self) -> str:
        return f"logout {self.jti}"
