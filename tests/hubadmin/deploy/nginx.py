"""A real nginx with the file that administrators copy, private to a test."""

import os
import shutil
import signal
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Self

from django.conf import settings

from tests.identity.apache import certify, replace
from tests.identity.processes import Process, free_port, listens

SITE = settings.BASE_DIR / "hubadmin" / "deploy" / "nginx.conf"
NGINX = shutil.which("nginx", path=f"{os.environ.get('PATH', '')}:/usr/sbin")
SERVER = "server 127.0.0.1:8000 fail_timeout=5s;"


class Nginx:
    """Serves at `origin`, https on this machine, whatever listens at these ports."""

    def __init__(self, *ports: int, changes: Sequence[tuple[str, str]] = ()) -> None:
        self.port, self._plain_port = free_port(), free_port()
        self.origin = f"https://localhost:{self.port}"
        self._ports, self._changes = ports, dict(changes)

    def __enter__(self) -> Self:
        with ExitStack() as stack:
            self.folder = Path(stack.enter_context(TemporaryDirectory(prefix="nginx-")))
            self.certificate = self.folder / "certificate.pem"  # for `verify=` of requests
            certify(self.certificate, self.folder / "key.pem")
            (self.folder / "nginx.conf").write_text(self._configuration())
            self._process = stack.enter_context(Process(self.command()))
            self._process.wait_until(lambda: listens(self.port))
            self._stack = stack.pop_all()
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    def serve(self, *ports: int) -> None:
        """Hand requests to these from now on, as after a change of its file and a reload."""
        self._ports = ports
        (self.folder / "nginx.conf").write_text(self._configuration())
        self._process.send_signal(signal.SIGHUP)

    def command(self, *options: str) -> list[str]:
        conf = "nginx.conf", "-g", "daemon off;"
        return [NGINX or "nginx", "-p", str(self.folder), "-e", "stderr", *options, "-c", *conf]

    def log(self) -> str:
        return (self.folder / "hubadmin.log").read_text()

    def _configuration(self) -> str:
        servers = "\n".join(SERVER.replace("8000", str(port)) for port in self._ports)
        here = {
            SERVER: servers,
            "listen 80;": f"listen 127.0.0.1:{self._plain_port};",
            "listen [::]:80;": "",
            "listen 443 ssl;": f"listen 127.0.0.1:{self.port} ssl;",
            "listen [::]:443 ssl;": "",
            "server_name hubadmin.example.com": "server_name localhost",
            "/etc/ssl/hubadmin.pem": str(self.certificate),
            "/etc/ssl/private/hubadmin.key": str(self.folder / "key.pem"),
            "/var/log/nginx/": f"{self.folder}/",
        }
        site = replace(SITE.read_text(), here | self._changes)
        places = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"]
        paths = "".join(f"{name}_temp_path {self.folder}/{name};\n" for name in places)
        pid = f"pid {self.folder}/nginx.pid;\n"
        user = "user root;\n" if os.geteuid() == 0 else ""
        return f"{user}{pid}events {{}}\nhttp {{\n{paths}{site}}}\n"
