"""The files that setup writes are what hubadmin needs, and nobody reads a secret meanwhile."""

import grp
import os
import pwd
import re
import unittest
from pathlib import Path
from unittest import mock
from urllib.parse import urlsplit

from django.test import override_settings, tag

from associations.audit.integrity import signing
from hubadmin.demo.sandbox import SANDBOX_TOKEN, Sandbox
from hubadmin.demo.sandbox.portal import PORTAL_ID
from hubadmin.setup import site
from hubadmin.setup.questions import ALL
from tests.hubadmin.setup.base import GIVEN, TOKEN, SetupTestCase

DETAILS = "/account-info/[^/]+/details"  # and not the usage, which is asked for meanwhile
FILES = {"owner.env", "backup.env", "sealer.env", "web.env"}
OF_MODE = {
    "oidc": {},
    "header": {"SSO_CLIENT_ID": "", "SSO_CLIENT_SECRET": "", "SSO_HEADER_SECRET": "canary" * 6},
    "assertion": {
        "SSO_CLIENT_ID": "",
        "SSO_CLIENT_SECRET": "",
        "SSO_AUDIENCE": "hubadmin",
        "SSO_ASSERTION_HEADER": "X-Token",
        "SSO_KEYS_URL": "https://id.example.com/keys",
    },
}
# Values that are told by these words, as many at once as leave each other alone.
WRONG = (
    {
        "ALLOWED_HOSTS": ("https://hub.example.org", "no name of a host"),
        "DATABASE_URL": ("postgres://u:canary-pw@h/n", "Leave user and password out"),
        "HUBSPOT_API_VERSION": ("v5", "must be one of v4, 2026-03, 2026-09"),
        "HUBSPOT_ACCESS_TOKEN": ("pat canary", "that no token has"),
        "SSO_ISSUER": ("http://id.example.com", "must be an https address"),
        "SSO_ADMIN_GROUPS": ("x,support", "both name 'support'"),
        "SSO_CLIENT_ID": ("hub\tadmin", "that cannot be seen"),
        "TRUSTED_PROXY_COUNT": ("one", "must be a whole number"),
    },
    {
        "DATABASE_URL": ("mysql://h/n", "no address of a database"),
        "SSO_MODE": ("saml", "oidc, assertion or header"),
    },
    {"DATABASE_URL": ("sqlite:///hubadmin.sqlite3", "whole path")},
)


@tag("own_database")
class WrittenTests(SetupTestCase):
    def check(self, name: str) -> None:
        """As README says, by the file alone."""
        command = "check", "--deploy", "--fail-level", "WARNING"
        ended = self.manage(*command, **self.of(name))
        self.assertEqual(ended.returncode, 0, ended.stderr)

    def of(self, name: str) -> dict[str, str]:
        """Not with a folder that belongs to a service of this machine."""
        return {"ENV_FILE": str(self.folder / name), "METRICS_DIR": str(self.folder / "metrics")}

    def test_each_file_has_what_its_account_needs_and_no_more(self) -> None:
        self.setup_site(**GIVEN)
        self.assertEqual({each.name for each in self.folder.iterdir()}, FILES)
        # Where there is a group of that account, it may read: test_files.py.
        self.assertEqual({each.stat().st_mode & 0o737 for each in self.folder.iterdir()}, {0o600})
        owner, sealer, web = map(self.lines, ("owner.env", "sealer.env", "web.env"))
        self.assertEqual(self.lines("backup.env"), owner)
        self.assertEqual([*owner], ["DATABASE_URL"])
        self.assertEqual({*sealer}, {"DATABASE_URL", "AUDIT_SIGNING_KEY", "AUDIT_PUBLIC_KEYS"})
        self.assertNotIn("AUDIT_SIGNING_KEY", web)
        self.assertEqual(sealer["DATABASE_URL"], web["DATABASE_URL"])
        self.assertEqual(web | GIVEN, web)
        addresses = [urlsplit(each["DATABASE_URL"]) for each in (owner, web)]
        self.assertEqual([each.username for each in addresses], ["hubadmin_owner", "hubadmin"])
        made = [each.password for each in addresses]
        made += [web["SECRET_KEY"], web["METRICS_TOKEN"], sealer["AUDIT_SIGNING_KEY"]]
        self.assertEqual(len({*made}), 5)
        self.assertGreater(min(map(len, made)), 40)

    def test_the_keys_are_a_pair(self) -> None:
        self.setup_site(**GIVEN)
        secret, public = self.lines("sealer.env"), self.lines("web.env")
        with override_settings(AUDIT_SIGNING_KEY=secret["AUDIT_SIGNING_KEY"]):
            self.assertEqual(signing.own_key().text, public["AUDIT_PUBLIC_KEYS"])

    def test_the_deployment_check_is_clean_in_each_mode(self) -> None:
        for mode, given in OF_MODE.items():
            with self.subTest(mode):
                self.begin()
                self.setup_site("--sso-mode", mode, **GIVEN | given)
                self.check("web.env")

    def test_where_compose_has_postgresql_its_passwords_are_those_of_the_addresses(self) -> None:
        self.setup_site("--database-url", "postgres://postgres/hubadmin", **GIVEN)
        self.assertEqual({each.name for each in self.folder.iterdir()}, FILES | {"postgres.env"})
        told, owner, web = map(self.lines, ("postgres.env", "owner.env", "web.env"))
        self.assertGreater(len(told.pop("POSTGRES_PASSWORD")), 30)
        roles = {"HUBADMIN_OWNER_PASSWORD": owner, "HUBADMIN_PASSWORD": web}
        passwords = {name: urlsplit(file["DATABASE_URL"]).password for name, file in roles.items()}
        self.assertEqual(told, passwords)
        self.assertEqual(self.folder.joinpath("postgres.env").stat().st_mode & 0o777, 0o600)

    def test_on_sqlite_all_is_in_one_file(self) -> None:
        address = f"sqlite:///{self.folder}/hubadmin.sqlite3"
        self.setup_site("--database-url", address, **GIVEN)
        self.assertEqual([each.name for each in self.folder.iterdir()], [".env"])
        self.assertEqual(self.lines(".env")["DATABASE_URL"], address)
        self.check(".env")
        file = str(self.folder / ".env")
        for command in (["migrate", "-v0"], ["seal_audit_log"]):
            ended = self.manage(*command, ENV_FILE=file)
            self.assertEqual(ended.returncode, 0, ended.stderr)

    def test_a_secret_of_any_characters_arrives(self) -> None:
        odd = "s@/#?:%x $1'\\\"é"
        self.setup_site(**GIVEN | {"SSO_CLIENT_SECRET": odd})
        code = "from django.conf import settings; print(ascii(settings.SSO_CLIENT_SECRET))"
        file = str(self.folder / "web.env")
        ended = self.manage("shell", "--no-imports", "-c", code, ENV_FILE=file)
        self.assertEqual(ended.stdout.strip(), ascii(odd))

    def test_a_secret_in_a_file_stays_there(self) -> None:
        file = self.folder / "token"
        file.write_text(f"{TOKEN}\n")
        named = {"HUBSPOT_ACCESS_TOKEN": "", "HUBSPOT_ACCESS_TOKEN_FILE": str(file)}
        self.setup_site(**GIVEN | named)
        self.assertEqual(self.lines("web.env")["HUBSPOT_ACCESS_TOKEN_FILE"], str(file))
        self.assertNotIn(TOKEN, (self.folder / "web.env").read_text())
        self.check("web.env")

    def test_another_file_of_settings_has_no_say(self) -> None:
        other = self.folder / "other"
        other.write_text("SSO_SUPPORT_GROUPS=everybody\nHUBSPOT_API_VERSION=v4\n")
        self.setup_site(ENV_FILE=str(other), **GIVEN)
        web = self.lines("web.env")
        self.assertEqual(
            (web["SSO_SUPPORT_GROUPS"], web["HUBSPOT_API_VERSION"]), ("support", "2026-09")
        )


@tag("own_database")
class FoundTests(SetupTestCase):
    """What need not be asked, as HubSpot tells it."""

    def set_up_with(self, sandbox: Sandbox, token: str = SANDBOX_TOKEN) -> tuple[str, dict]:
        given = {"HUBSPOT_API_BASE_URL": sandbox.url, "HUBSPOT_ACCESS_TOKEN": token}
        return self.setup_site(**GIVEN | given), self.lines("web.env")

    def test_the_account_and_where_people_use_it(self) -> None:
        with Sandbox() as sandbox:
            details = {"portalId": 77123, "uiDomain": "app-eu1.hubspot.com"}
            sandbox.fault(method="GET", path=DETAILS, body=details)
            said, web = self.set_up_with(sandbox)
        self.assertNotIn("!", said)
        self.assertEqual(web["HUBSPOT_PORTAL_ID"], "77123")
        self.assertEqual(web["HUBSPOT_UI_URL"], "https://app-eu1.hubspot.com")

    def test_no_other_place_than_hubspots_own(self) -> None:
        with Sandbox() as sandbox:  # which says that people use it where it is
            _, web = self.set_up_with(sandbox)
        self.assertEqual(web["HUBSPOT_PORTAL_ID"], PORTAL_ID)
        self.assertNotIn("HUBSPOT_UI_URL", web)

    def test_a_token_that_is_refused_is_told_and_asked_about_again(self) -> None:
        with Sandbox() as sandbox:
            said, web = self.set_up_with(sandbox, TOKEN)
            self.assertRegex(said, "! HUBSPOT_PORTAL_ID is not set. HubSpot .* access token")
            self.assertNotIn("HUBSPOT_PORTAL_ID", web)
            file = self.folder / "web.env"
            file.write_text(file.read_text().replace(TOKEN, SANDBOX_TOKEN))
            self.setup_site(HUBSPOT_API_BASE_URL=sandbox.url)
        self.assertEqual(self.lines("web.env")["HUBSPOT_PORTAL_ID"], PORTAL_ID)

    def test_what_stands_there_is_kept(self) -> None:
        (self.folder / "web.env").write_text("HUBSPOT_PORTAL_ID=1\n")
        with Sandbox() as sandbox:
            _, web = self.set_up_with(sandbox)
            self.assertEqual(sandbox.requests, [])
        self.assertEqual(web["HUBSPOT_PORTAL_ID"], "1")


@tag("own_database")
class AgainTests(SetupTestCase):
    def texts(self) -> dict[str, str]:
        return {each.name: each.read_text() for each in self.folder.iterdir()}

    def test_what_is_there_is_kept_and_named(self) -> None:
        self.setup_site(**GIVEN)
        before = self.texts()
        said = self.setup_site("--allowed-hosts", "other.example.org")
        self.assertEqual(self.texts(), before)
        self.assertRegex(said, "ALLOWED_HOSTS, .*SECRET_KEY.*: kept")

    def test_what_is_missing_is_added(self) -> None:
        self.setup_site(**GIVEN)
        file = self.folder / "web.env"
        mine = "# mine\n" + file.read_text().replace("SSO_ISSUER=https://id.example.com\n", "")
        file.write_text(mine)
        self.assertIn("SSO_ISSUER is not set", self.setup_site(fails=True))
        self.assertEqual(file.read_text(), mine)
        self.setup_site("--sso-issuer", "https://other.example.com")
        self.assertEqual(file.read_text(), mine + "SSO_ISSUER=https://other.example.com\n")

    def test_a_further_machine_that_has_web_env_gets_no_other_key(self) -> None:
        self.setup_site(**GIVEN)
        for name in FILES - {"web.env"}:
            (self.folder / name).unlink()
        before = self.texts()
        self.setup_site()
        self.assertEqual(self.texts(), before)

    def test_what_was_begun_is_completed(self) -> None:
        """As after a power failure: of the four files only the last one is missing."""
        self.setup_site(**GIVEN)
        before = self.texts()
        (self.folder / "web.env").unlink()
        self.setup_site(**GIVEN)
        after = self.texts()
        self.assertEqual(before | {"web.env": ""}, after | {"web.env": ""})
        web, sealer = self.lines("web.env"), self.lines("sealer.env")
        for name in ("DATABASE_URL", "AUDIT_PUBLIC_KEYS"):
            self.assertEqual(web[name], sealer[name])


@tag("own_database")
class RefusedTests(SetupTestCase):
    def refused(self, *flags: str, **variables: str) -> str:
        said = self.setup_site(*flags, fails=True, **variables)
        self.assertEqual([*self.folder.iterdir()], [])
        return said

    def test_all_that_is_missing_is_told_at_once(self) -> None:
        said = self.refused()
        for name in {*GIVEN} - {"SSO_ADMIN_GROUPS"}:
            self.assertIn(name, said)

    def test_one_group_of_the_two_is_enough(self) -> None:
        for name in ("SSO_SUPPORT_GROUPS", "SSO_ADMIN_GROUPS"):
            self.begin()
            self.setup_site(**GIVEN | {name: ""})

    def test_what_is_wrong_is_told_by_the_checks(self) -> None:
        for wrong in WRONG:
            with self.subTest([*wrong]):
                values = {name: value for name, (value, _) in wrong.items()}
                said = self.refused(**GIVEN | values)
                for _, told in wrong.values():
                    self.assertIn(told, said)
                self.assertEqual(said.count("\n- "), len(wrong), said)
                self.assertNotIn("canary", said)

    def test_no_flag_takes_a_secret(self) -> None:
        secret = [name for name, question in ALL.items() if question.is_secret]
        self.assertEqual(len(secret), 3)
        flags = [f"--{name.lower().replace('_', '-')}=x" for name in secret]
        ended = self.manage("setup", *flags)
        self.assertIn(f"unrecognized arguments: {' '.join(flags)}", ended.stderr)

    def test_a_file_that_cannot_be_read_is_not_taken_for_none(self) -> None:
        (self.folder / "web.env").write_bytes(b"\xff")
        ended = self.manage("setup", "--dir", str(self.folder), **GIVEN)
        self.assertIn("web.env is no text in UTF-8", ended.stderr)
        self.assertEqual([each.name for each in self.folder.iterdir()], ["web.env"])

    def test_half_a_pair_of_keys_and_a_file_for_another_database(self) -> None:
        (self.folder / "sealer.env").write_text("AUDIT_SIGNING_KEY=canary\n")
        self.assertIn("needs both", self.setup_site(fails=True, **GIVEN))
        (self.folder / "sealer.env").unlink()
        (self.folder / ".env").write_text("WEB_WORKERS=4\n")
        self.assertIn("is for SQLite", self.setup_site(fails=True, **GIVEN))


class HelpTests(SetupTestCase):
    def test_every_flag_says_what_it_is_for(self) -> None:
        said = self.manage("setup", "--help", COLUMNS="1000").stdout
        for question in ALL.values():
            if question.flag:
                self.assertRegex(said, rf"{question.flag} …\s+{re.escape(question.text)}")


class AccountTests(SetupTestCase):
    @unittest.skipUnless(os.geteuid() == 0, "only root gives a file to others")
    def test_where_the_services_account_is_its_folder_and_its_group_are_named(self) -> None:
        account = pwd.getpwnam("daemon")
        answers = GIVEN | {"DATABASE_URL": "postgres://h/n"}
        with mock.patch.object(site, "ACCOUNT", account.pw_name):
            [*site.Site(self.folder).write(answers)]
        web = self.folder / "web.env"
        folders = [self.lines("web.env")[name] for name in ("METRICS_DIR", "SPOOL_DIR")]
        self.assertEqual({str(Path(each).parent) for each in folders}, {account.pw_dir})
        self.assertEqual(grp.getgrgid(web.stat().st_gid).gr_name, account.pw_name)
        self.assertEqual(web.stat().st_mode & 0o777, 0o640)
        self.begin()  # in a container neither is there
        with mock.patch.object(site, "ACCOUNT", account.pw_name):
            [*site.Site(self.folder).write(answers | {"DATABASE_URL": "postgres://postgres/n"})]
        self.assertNotIn("METRICS_DIR", self.lines("web.env"))
