"""Somebody at a terminal, who is asked until each answer is one."""

import re

from django.test import tag

from tests.hubadmin.setup.base import CLIENT_SECRET, GIVEN, TOKEN, SetupTestCase, Terminal

ANSWERS = {
    "ALLOWED_HOSTS": GIVEN["ALLOWED_HOSTS"],
    "DATABASE_URL [postgres://127.0.0.1:5432/hubadmin]": "",
    "HUBSPOT_ACCESS_TOKEN (not shown)": TOKEN,
    "HUBSPOT_API_VERSION [2026-09]": "v4",
    "SSO_MODE [oidc]": "",
    "SSO_ISSUER": GIVEN["SSO_ISSUER"],
    "SSO_CLIENT_ID": "hubadmin",
    "SSO_CLIENT_SECRET (not shown)": CLIENT_SECRET,
    "SSO_GROUPS_CLAIM [groups]": "roles",
    "TRUSTED_PROXY_COUNT [1]": "2",
    "SSO_SUPPORT_GROUPS": "support",
    "SSO_ADMIN_GROUPS": "admin",
}
KNOWN = GIVEN | {"HUBSPOT_API_VERSION": "v4", "TRUSTED_PROXY_COUNT": "1"}
# What is answered before, and what is said of it.
WRONG = {
    "ALLOWED_HOSTS": ("https://hub.example.org/", "no name of a host"),
    "DATABASE_URL": ("postgres://u:p@h/n", "Leave user and password out"),
    "HUBSPOT_ACCESS_TOKEN": ("pat-canary token", "that no token has"),
    "HUBSPOT_API_VERSION": ("v5", "must be one of"),
    "SSO_MODE": ("ldap", "oidc, assertion or header"),
    "SSO_ISSUER": ("http://id.example.com", "must be an https address"),
    "SSO_CLIENT_ID": ("", "SSO_CLIENT_ID is not set"),
    "SSO_CLIENT_SECRET": ("", "SSO_CLIENT_SECRET is not set"),
    "TRUSTED_PROXY_COUNT": ("one", "must be a whole number"),
    "SSO_ADMIN_GROUPS": ("support", "both name 'support'"),
}


@tag("own_database")
class TerminalTests(SetupTestCase):
    def terminal(self, *flags: str, **variables: str) -> Terminal:
        flags = "--dir", str(self.folder), *flags
        return self.enterContext(Terminal(*flags, **variables))

    def test_one_question_after_the_other(self) -> None:
        terminal = self.terminal()
        for prompt, text in ANSWERS.items():
            terminal.answer(f"{prompt}: ", text)
            self.assertNotIn("canary", terminal.command_line)
        self.assertEqual(terminal.end(), 0, terminal.said)
        self.assert_nothing_secret(terminal.said)
        told = re.findall(r"^! (\w+)", terminal.said, re.MULTILINE)
        self.assertEqual(told, ["HUBSPOT_PORTAL_ID"])  # as HubSpot is nobody here
        web = self.lines("web.env")
        kept = GIVEN | {
            "HUBSPOT_API_VERSION": "v4",
            "SSO_MODE": "oidc",
            "SSO_GROUPS_CLAIM": "roles",
        }
        self.assertEqual(web | kept, web)

    def test_what_is_wrong_is_said_and_asked_again(self) -> None:
        terminal = self.terminal()
        for prompt, text in ANSWERS.items():
            wrong, told = WRONG.get(prompt.split()[0], (None, ""))
            if wrong is not None:
                terminal.answer(f"{prompt}: ", wrong)
                before = terminal.answer(f"{prompt}: ", text)
                self.assertIn(told, before.partition("! ")[2])
            else:
                terminal.answer(f"{prompt}: ", text)
        self.assertEqual(terminal.end(), 0, terminal.said)
        self.assert_nothing_secret(terminal.said)
        self.assertNotIn("canary token", terminal.said)
        self.assertEqual(self.lines("web.env")["SSO_ADMIN_GROUPS"], "admin")

    def test_what_is_known_is_not_asked_unless_it_is_wrong(self) -> None:
        given = KNOWN | {"SSO_ISSUER": "http://wrong.example.com"}
        del given["SSO_CLIENT_ID"]
        flags = "--sso-groups-claim=groups", "--sso-mode=oidc"
        terminal = self.terminal(*flags, "--database-url=postgres:///x?host=/run", **given)
        before = terminal.answer("SSO_ISSUER: ", GIVEN["SSO_ISSUER"])
        self.assertIn("must be an https address", before)
        terminal.answer("SSO_CLIENT_ID: ", "hubadmin")
        self.assertEqual(terminal.end(), 0, terminal.said)
        self.assertEqual(terminal.said.count(": \r\n") + terminal.said.count(": h"), 2)
        self.assertIn("@/x?host=/run", self.lines("owner.env")["DATABASE_URL"])

    def test_the_other_ways_to_sign_in_have_questions_of_their_own(self) -> None:
        secret = "canary-shared-secret-0123456789-0123456789"
        given = KNOWN | {"SSO_MODE": "header", "SSO_ISSUER": "", "DATABASE_URL": "sqlite:////x/y"}
        terminal = self.terminal(**given)
        terminal.answer("SSO_ISSUER [proxy]: ", "")
        terminal.answer("SSO_HEADER_SECRET (not shown): ", "canary-short")
        before = terminal.answer("SSO_HEADER_SECRET (not shown): ", secret)
        self.assertIn("shorter than 32", before)
        self.assertEqual(terminal.end(), 0, terminal.said)
        self.assertNotIn("canary", terminal.said)
        file = self.lines(".env")
        self.assertEqual((file["SSO_ISSUER"], file["SSO_HEADER_SECRET"]), ("proxy", secret))

    def test_whoever_leaves_in_the_middle_leaves_nothing_behind(self) -> None:
        terminal = self.terminal()
        terminal.answer("ALLOWED_HOSTS: ", "hub.example.org")
        terminal.answer("/hubadmin]: ", "\x04")
        self.assertEqual(terminal.end(), 1)
        self.assertIn("nothing was written", terminal.said)
        self.assertNotIn("Traceback", terminal.said)
        self.assertEqual([*self.folder.iterdir()], [])

    def test_roles_hold_passwords_and_are_not_shown(self) -> None:
        self.setup_site(**GIVEN)
        terminal = self.terminal("--roles")
        self.assertEqual(terminal.end(), 1)
        self.assertIn("| runuser", terminal.said)
        self.assert_nothing_secret(terminal.said)
