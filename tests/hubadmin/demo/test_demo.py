"""The demo, as a newcomer runs it: real processes, real HTTP, a browser's worth of requests."""

import os
import select
import signal
import socket
import subprocess
import sys
import tempfile
import time
import unittest
from pathlib import Path

import requests
from django.conf import settings
from django.test import tag

from tests.demo import MANAGE, Demo, Person


@tag("own_database")
class DemoTests(unittest.TestCase):
    def setUp(self) -> None:
        self.folder = Path(self.enterContext(tempfile.TemporaryDirectory())) / "demo"

    def test_a_support_person_links_records_singly_and_in_bulk_and_an_admin_finds_it(self) -> None:
        with Demo(self.folder) as demo:
            page = Person(demo, "support").post(
                "/",
                from_object_type="Contact",
                from_object_id="501",
                to_object_type="Company",
                to_object_id="902",
                reason="SUP-1234",
            )
            self.assertIn("Contact 501 is now linked to Company 902.", page.text)
            self.assertRegex(page.url, r"/\?linked=\d+$")

            log = Person(demo, "admin").get("/audit/")
            self.assertRegex(log.text, r"(?s)Contact 501\b.*→.*Company 902\b")
            self.assertIn("Mina Sato", log.text)

            received = requests.get(f"{demo.hubspot}/_sandbox/requests", timeout=5).json()
            puts = [r for r in received if r["method"] == "PUT"]
            path = "/crm/v4/objects/contacts/501/associations/default/companies/902"
            self.assertEqual([r["path"] for r in puts], [path])
            self.assertNotIn("sandbox", puts[0]["headers"]["Authorization"])
            self.assert_its_worker_links_many(demo)

    def test_the_terminal_shows_what_to_do_and_no_log(self) -> None:
        with Demo(self.folder) as demo:
            first, *_ = demo.announcement.split()
            self.assertEqual(first, "hubadmin", demo.announcement)
            self.assertNotIn('{"time"', demo.announcement)
            self.assert_its_worker_links_many(demo)
            said, _, _ = select.select([demo.process.stdout], [], [], 0.5)
            self.assertEqual(said, [], "a run is no news to whoever plays with it")

    def assert_its_worker_links_many(self, demo: Demo) -> None:
        support = Person(demo, "support")
        rows = "from,to\ncontact 501,company 903\ncontact 502,deal 701"
        made = support.post("/bulk/", rows=rows)
        run = made.url.removeprefix(demo.address)
        self.wait_for(support, run, "Start")
        support.post(f"{run}start/", page=run, way="batch")
        self.wait_for(support, run, "2 of 2 pairs are linked")

    def wait_for(self, support: Person, address: str, words: str, seconds: float = 20) -> None:
        deadline = time.monotonic() + seconds
        while words not in (page := support.get(address).text):
            self.assertLess(time.monotonic(), deadline, page)
            time.sleep(0.2)

    def test_it_serves_its_static_files_and_its_cookies_suit_plain_http(self) -> None:
        with Demo(self.folder) as demo:
            support = Person(demo, "support")
            self.assertIn("--accent", support.get("/static/associations/hubadmin.css").text)
            self.assertEqual({c.name for c in support.session.cookies}, {"sessionid", "csrftoken"})
            self.assertFalse(any(c.secure for c in support.session.cookies))

    def test_it_keeps_its_data_and_sign_ins_until_reset(self) -> None:
        with Demo(self.folder) as demo:
            support = Person(demo, "support")
            support.post(
                "/",
                from_object_type="Contact",
                from_object_id="502",
                to_object_type="Deal",
                to_object_id="701",
            )
        with Demo(self.folder) as support.demo:
            listed = support.get("/requests/").text
            self.assertRegex(listed, r"(?s)Contact 502\b.*→.*Deal 701\b")
        with Demo(self.folder, "--reset") as demo:
            self.assertNotIn("Contact 502", Person(demo, "support").get("/requests/").text)

    def test_it_leaves_no_process_behind(self) -> None:
        for number, code in ((signal.SIGINT, 0), (signal.SIGTERM, 0), (signal.SIGKILL, -9)):
            if number == signal.SIGKILL and sys.platform != "linux":
                continue
            with self.subTest(number.name), Demo(self.folder) as demo:
                self.assertGreaterEqual(len(demo.processes()), 2)
                self.assertEqual(demo.stop(number), code)
                self.assertEqual(demo.wait_until_gone(), [])

    def test_a_stray_env_file_or_variable_does_not_lead_it_to_another_hubspot(self) -> None:
        stray = {
            "HUBSPOT_API_BASE_URL": "https://api.hubapi.com",
            "HUBSPOT_ACCESS_TOKEN": "pat-na1-0000",
            "DATABASE_URL": "nonsense",
            "DJANGO_SETTINGS_MODULE": "hubadmin.settings",
            "GUNICORN_CMD_ARGS": "--bind 127.0.0.1:1",
            "DEMO_REAL_HUBSPOT": "true",
            "WEB_WORKERS": "many",
            "ENV_FILE": str(self.folder.parent / "stray.env"),
        }
        (self.folder.parent / "stray.env").write_text("HUBSPOT_PROXY_URL=http://127.0.0.1:1\n")
        with Demo(self.folder, **stray) as demo:
            self.assertRegex(demo.hubspot, r"^http://127\.0\.0\.1:\d+$")
            page = Person(demo, "support").post(
                "/",
                from_object_type="Contact",
                from_object_id="501",
                to_object_type="Company",
                to_object_id="902",
            )
            self.assertIn("is now linked", page.text)
            self.assertNotIn("Real HubSpot", page.text)

    def test_another_hubspot_only_on_demand_and_with_a_banner(self) -> None:
        with Demo(self.folder) as other:
            real = {"HUBSPOT_API_BASE_URL": other.hubspot, "HUBSPOT_ACCESS_TOKEN": "sandbox"}
            with Demo(self.folder, "--real-hubspot", **real) as demo:
                self.assertEqual(demo.hubspot, other.hubspot)
                self.assertIn("Real HubSpot", Person(demo, "support").get("/").text)


@tag("own_database")
class RefusalTests(unittest.TestCase):
    """What keeps the demo from starting is one clear line."""

    def setUp(self) -> None:
        self.folder = Path(self.enterContext(tempfile.TemporaryDirectory())) / "demo"

    def ended(self, *options: str, **environment: str) -> subprocess.CompletedProcess:
        return subprocess.run(
            [sys.executable, MANAGE, "demo", *options],
            env=os.environ | {"DEMO_DIR": str(self.folder), **environment},
            capture_output=True,
            text=True,
            timeout=60,
        )

    def refused(self, *options: str, **environment: str) -> str:
        ended = self.ended(*options, **environment)
        self.assertEqual(ended.returncode, 1, ended.stderr)
        self.assertEqual(len(ended.stderr.strip().splitlines()), 1, ended.stderr)
        return ended.stderr

    def test_port_taken(self) -> None:
        with socket.create_server(("127.0.0.1", 0)) as taken:
            port = str(taken.getsockname()[1])
            self.assertIn(f"Port {port} cannot be used", self.refused("--port", port))

    def test_port_out_of_range(self) -> None:
        self.assertIn("cannot be used", self.refused("--port", "99999"))

    def test_folder_not_writable(self) -> None:
        self.folder.write_text("a file, not a folder")
        self.assertIn("cannot be written to", self.refused("--port", "0"))

    def test_real_hubspot_without_a_token(self) -> None:
        text = self.refused("--real-hubspot", HUBSPOT_ACCESS_TOKEN="")
        self.assertIn("HUBSPOT_ACCESS_TOKEN", text)

    def test_a_real_hubspot_only_if_serving_it_is_safe(self) -> None:
        real = {
            "HUBSPOT_API_BASE_URL": "http://hubspot.invalid",
            "HUBSPOT_ACCESS_TOKEN": "a-token-of-no-portal",
        }
        ended = self.ended("--real-hubspot", "--port", "0", **real)
        self.assertEqual(ended.returncode, 1)
        self.assertIn("must be an https address", ended.stderr)
        self.assertNotIn("Traceback", ended.stderr)

    def test_reset_deletes_nothing_but_what_demos_made(self) -> None:
        self.folder.mkdir()
        (self.folder / "mine.txt").write_text("keep")
        with Demo(self.folder, "--reset"):
            pass
        self.assertEqual((self.folder / "mine.txt").read_text(), "keep")

    def test_wrong_python(self) -> None:
        source = MANAGE.read_text().replace("(3, 11)", "(99, 0)")
        ended = subprocess.run(
            [sys.executable, "-c", source, "demo"], capture_output=True, text=True, timeout=60
        )
        self.assertEqual(ended.returncode, 1)
        self.assertRegex(ended.stderr, r"^hubadmin needs Python .+; this is 3\.\d+\.\d+\.\n$")

    def test_its_server_does_not_run_by_itself(self) -> None:
        ended = subprocess.run(
            [sys.executable, "-m", "gunicorn", "-c", "python:hubadmin.demo.gunicorn_conf"],
            cwd=settings.BASE_DIR,
            env=os.environ | {"DJANGO_SETTINGS_MODULE": "hubadmin.demo.settings"},
            capture_output=True,
            text=True,
            timeout=60,
        )
        self.assertNotEqual(ended.returncode, 0)
        self.assertIn("does not run by itself", ended.stderr)
