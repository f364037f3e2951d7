"""The command that lists people, and locks them out whatever the identity provider says."""

from io import StringIO

from django.core.management import CommandError, call_command
from django.test import TestCase

from associations.models import AssociationRequest
from hubadmin.models import User
from hubadmin.sso.users import provision
from tests.support import LINK, SandboxMixin, SignedInClient, person


class PeopleTestCase(SandboxMixin, TestCase):
    def setUp(self) -> None:
        super().setUp()
        self.ada = self.sign_up("u1", "Ada@Example.com", "Ada Byron")
        self.ben = self.sign_up("u2", "ben@example.com", "Ben")

    def sign_up(self, subject: str, email: str, name: str, issuer: str = "tests") -> User:
        return provision(issuer=issuer, subject=subject, email=email, name=name, groups=["support"])

    def people(self, *arguments: str) -> str:
        output = StringIO()
        call_command("people", *arguments, stdout=output, no_color=True)
        return output.getvalue()

    def refusal(self, *arguments: str) -> str:
        with self.assertRaises(CommandError) as refused:
            self.people(*arguments)
        return str(refused.exception)

    def active(self) -> set[str]:
        return {*User.objects.filter(is_active=True).values_list("name", flat=True)}


class ListTests(PeopleTestCase):
    def test_everybody_with_role_state_and_issuer(self) -> None:
        User.objects.filter(pk=self.ben.pk).update(is_active=False)
        visitor = person("visitor")
        rows = [line.split("\t") for line in self.people().splitlines()]
        self.assertEqual(
            rows,
            [
                [str(self.ada.pk), "Ada Byron", "Ada@Example.com", "support", "active", "tests"],
                [str(self.ben.pk), "Ben", "ben@example.com", "support", "deactivated", "tests"],
                [str(visitor.pk), "Visitor", visitor.email, "no role", "active", "tests"],
            ],
        )
        self.assertEqual(self.active(), {"Ada Byron", "Visitor"}, "a list changes nothing")

    def test_nobody_yet(self) -> None:
        User.objects.all().delete()
        self.assertEqual(self.people(), "")


class DeactivateTests(PeopleTestCase):
    def test_by_email_in_any_case_or_by_id(self) -> None:
        for who in ("Ada@Example.com", "ada@example.com", "ADA@EXAMPLE.COM", str(self.ada.pk)):
            with self.subTest(who):
                self.assertIn("\tdeactivated\t", self.people("--deactivate", who))
                self.assertEqual(self.active(), {"Ben"})
                self.assertIn("\tactive\t", self.people("--reactivate", who.swapcase()))
                self.assertEqual(self.active(), {"Ada Byron", "Ben"})

    def test_an_email_that_two_people_have(self) -> None:
        other = self.sign_up("u9", "ADA@example.com", "Other Ada", issuer="elsewhere")
        output = StringIO()
        with self.assertRaisesMessage(CommandError, "2 people have this e-mail address"):
            call_command("people", "--deactivate", "ada@example.com", stdout=output)
        for someone in (self.ada, other):
            self.assertIn(f"{someone.pk}\t{someone.name}", output.getvalue())
        self.assertEqual(self.active(), {"Ada Byron", "Ben", "Other Ada"})
        self.people("--deactivate", str(other.pk))
        self.assertEqual(self.active(), {"Ada Byron", "Ben"})

    def test_somebody_unknown(self) -> None:
        for who in (
            *("eve@example.com", "%", "_", "%@example.com", "ben", "Ben", "0", "-1", "9" * 18),
            *("9" * 40, "\u0661", "1.0", " "),
        ):
            for option in ("--deactivate", "--reactivate"):
                with self.subTest(who, option=option):
                    self.assertIn("has ever signed in", self.refusal(f"{option}={who}"))
        self.assertEqual(self.active(), {"Ada Byron", "Ben"})

    # As `--deactivate "$WHO"` of a script whose variable is not set.
    def test_nobody_named(self) -> None:
        self.sign_up("u3", "", "Nameless")
        for option in ("--deactivate", "--reactivate"):
            self.assertIn("has ever signed in", self.refusal(f"{option}="))
        self.assertEqual(self.active(), {"Ada Byron", "Ben", "Nameless"})

    def test_both_at_once(self) -> None:
        self.assertIn("not allowed with", self.refusal("--deactivate", "1", "--reactivate", "1"))

    def test_nothing_else_about_the_person_changes(self) -> None:
        before = User.objects.filter(pk=self.ada.pk).values().get()
        self.people("--deactivate", "ada@example.com")
        after = User.objects.filter(pk=self.ada.pk).values().get()
        self.assertEqual(after, before | {"is_active": False})


class OutTests(PeopleTestCase):
    def test_somebody_deactivated_is_out_with_their_next_click(self) -> None:
        browsers = [SignedInClient(self.ada), SignedInClient(self.ada)]
        self.assertEqual(browsers[0].get("/").status_code, 200)
        self.people("--deactivate", "ada@example.com")
        self.assertRedirects(browsers[0].get("/"), "/sign-in?next=/")
        self.assertRedirects(browsers[1].post("/", LINK), "/sign-in?next=/")
        self.assertEqual((AssociationRequest.objects.count(), self.puts()), (0, []))
        self.assertEqual(SignedInClient(self.ben).get("/").status_code, 200)

    def test_what_the_provider_says_does_not_bring_them_back(self) -> None:
        self.people("--deactivate", "ada@example.com")
        self.sign_up("u1", "ada@example.com", "Ada King")
        self.assertEqual(self.active(), {"Ben"})

    def test_reactivated_they_sign_in_anew(self) -> None:
        before = SignedInClient(self.ada)
        self.people("--deactivate", "ada@example.com")
        before.get("/")
        self.people("--reactivate", "ada@example.com")
        self.assertEqual(before.get("/").status_code, 302, "an old sign-in came back to life")
        self.assertEqual(SignedInClient(self.ada).get("/").status_code, 200)
