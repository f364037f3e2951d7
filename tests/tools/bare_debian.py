"""From a bare Debian to the first verified link by README's commands alone.

`python -m tests.tools.bare_debian [SUITE]`, as root. debootstrap makes a machine, a systemd of its
own boots, and what is typed there is read out of hubadmin/deploy/README.md; PostgreSQL, nginx and
OpenID Connect are the real ones. Around it, in a network namespace, are HubSpot's stand-in and an
identity provider, by TLS of an authority of their own. Exit code 1: a command failed, or the link
is not verified.
"""

import argparse
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from tests.identity import real_provider
from tests.tools.bare.administrator import Administrator
from tests.tools.bare.machine import INSIDE, OUTSIDE, Machine, run
from tests.tools.bare.outside import ROOT, Outside, around, hosts
from tests.tools.bare.recipe import commands
from tests.tools.bare.visit import link_and_look

PROGRAMS = "debootstrap systemd-nspawn slirp4netns unshare nsenter ip nginx openssl git pip"
README = ROOT / "hubadmin" / "deploy" / "README.md"
SERVICES = "hubadmin-web.socket hubadmin-web hubadmin-worker hubadmin-sealer nginx postgresql"
TIMERS = "hubadmin-clearsessions.timer hubadmin-verify.timer"
# What timers start, and what prunes, with the file of settings that its unit says it needs.
BY_NIGHT = "hubadmin-clearsessions hubadmin-verify hubadmin-backup hubadmin-prune"
PRUNES = (
    "cd /etc/hubadmin && umask 027 && (grep DATABASE_URL owner.env; grep AUDIT_ sealer.env) "
    "> prune.env && chgrp hubadmin-prune prune.env"
)
MANAGE = "cd /opt/hubadmin && ENV_FILE=/etc/hubadmin/{}.env .venv/bin/python manage.py {}"
MOST_COMMANDS = 10


def set_up(machine: Machine, outside: Outside) -> bool:
    """Type it until one fails, and tell how it went. Returns whether the last was reached."""
    administrator = Administrator(machine, outside)
    print("brought along ", "; ".join(administrator.bring_along()))
    typed, begun = commands(README, administrator.answers), time.monotonic()
    print(f"\n{'s':>6}  code  command", flush=True)
    for command in typed:
        ended = administrator.type(command.text)
        print(f"{ended.seconds:>6.1f}  {ended.code:>4}  {_shortened(command.text)}", flush=True)
        is_well = ended.code <= ("manage.py doctor" in command.text)  # 1: warnings, which it shows
        if ended.code:
            print("".join(f"        | {line}\n" for line in ended.output.splitlines()[-60:]))
        if not is_well:
            break
    edits = sum(each.opens_editor for each in typed)
    filled = [name for command in typed for name in command.filled]
    joined = sum(each.parts for each in typed)
    print(f"\nminutes        {(time.monotonic() - begun) / 60:.1f}")
    mark = " !" * (len(typed) > MOST_COMMANDS)
    print(f"commands       {len(typed)}{mark} ({joined} joined in them)")
    print(f"hand edits     {edits}{' !' * bool(edits)}")
    print("answers        ", len(administrator.answers), *administrator.answers)
    print("values filled  ", len(filled), *filled, flush=True)
    return command is typed[-1]


def _shortened(text: str) -> str:
    line = " ".join(text.split())
    return line if len(line) <= 100 else f"{line[:99]}…"


def look(machine: Machine, outside: Outside) -> bool:
    """Tell what is to be seen of the site. Returns whether the link is there, and verified."""
    print()
    seen = link_and_look(outside.authority)
    for each in seen:
        print(f"{each.what:<14} {each.status} {each.text}{'' if each.is_well else ' !'}")
    puts = [each["path"] for each in outside.hubspot.requests if each["method"] == "PUT"]
    print("HubSpot got   ", *puts)
    for unit in f"{SERVICES} {TIMERS}".split():
        print(f"{unit:<30} {machine.said(f'systemctl is-active {unit}')}")
    _wait_for_the_first_seal(machine)
    machine.ask(PRUNES)
    for unit in BY_NIGHT.split():
        print(f"{unit:<30} exit code {machine.ask(f'systemctl start {unit}').code}")
    print("failed units  ", machine.said("systemctl --failed --no-legend") or "none")
    for account, command in (
        ("hubadmin", "doctor"),
        ("hubadmin", "status"),
        ("hubadmin", "check --deploy"),
        ("hubadmin-sealer", "verify_audit_log"),
    ):
        file = "sealer" if account == "hubadmin-sealer" else "web"
        ended = machine.ask(f"runuser -u {account} -- sh -c '{MANAGE.format(file, command)}'")
        print(f"\nmanage.py {command}: exit code {ended.code}\n{ended.output}")
    print("\nlog lines from WARNING on:")
    for line in machine.said("journalctl --unit 'hubadmin-*' --output cat").splitlines():
        if line.startswith("{") and json.loads(line).get("level") not in ("info", "debug"):
            print(f"  {line[:300]}")
    return all(each.is_well for each in seen) and len(puts) == 1


def _wait_for_the_first_seal(machine: Machine) -> None:
    """It comes within a minute or two of the first entry; at night there has long been one."""
    deadline = time.monotonic() + 240
    verify = MANAGE.format("sealer", "verify_audit_log")
    as_sealer = f"runuser -u hubadmin-sealer -- sh -c '{verify}'"
    while "There is no seal yet" in machine.ask(as_sealer).output:
        if time.monotonic() > deadline:
            print("no seal has come")
            return
        time.sleep(2)


def main() -> int:
    """Enter namespaces, make the machine, set it up, and look at it."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("suite", nargs="?", default="bookworm", help="of Debian, such as trixie")
    parser.add_argument("--umask", default="022", help="of whoever types")
    parser.add_argument("--keep", type=Path, help="the folder in which its disk then stays")
    parser.add_argument("--shell", action="store_true", help="a shell on it, before it ends")
    parser.add_argument("--internet", type=int, help=argparse.SUPPRESS)
    options = parser.parse_args()
    os.environ["PATH"] += ":/usr/sbin:/sbin"
    missing = [name for name in PROGRAMS.split() if not shutil.which(name)]
    if os.geteuid() or missing or not real_provider.AVAILABLE:
        print("It takes root, npm ci --prefix tests/identity/provider, and", PROGRAMS)
        return 2
    if options.internet is None:
        _again_in_namespaces()
    os.umask(0o022)  # settings have made it stricter, which is not how people find a machine
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # ends what it has started
    with tempfile.TemporaryDirectory(prefix="bare-", dir="/var/tmp") as folder:
        kept = options.keep or Path(folder)
        kept.mkdir(parents=True, exist_ok=True)
        return _try(options, kept)


def _again_in_namespaces() -> None:
    """Become the same program with a network and mounts of its own; a file leads back."""
    internet = os.open("/proc/self/ns/net", os.O_RDONLY)
    os.set_inheritable(internet, True)
    program = [sys.executable, "-m", "tests.tools.bare_debian", *sys.argv[1:]]
    command = ["unshare", "--net", "--mount", *program, f"--internet={internet}"]
    os.execvp(command[0], command)  # noqa: S606 - a program of the system's, by our own words


def _try(options: argparse.Namespace, folder: Path) -> int:
    # systemd of Debian 13 starts on control groups of version 2 alone.
    if not Path("/sys/fs/cgroup/cgroup.controllers").exists():
        run("umount", "--recursive", "/sys/fs/cgroup")
        run("mount", "-t", "cgroup2", "none", "/sys/fs/cgroup")
    run("ip", "link", "set", "lo", "up")
    names = folder / "hosts"
    names.write_text(hosts(INSIDE, OUTSIDE))
    run("mount", "--bind", names, "/etc/hosts")
    suite = options.suite
    machine = Machine(suite, folder / suite, options.internet, options.umask)
    machine.install()
    with around() as outside, machine:
        version, python = machine.said("cat /etc/debian_version"), "python3 --version"
        print(f"Debian {version} ({suite}), systemd is {machine.state}")
        is_set_up = set_up(machine, outside)
        print(machine.said(f"{python}; /usr/lib/postgresql/*/bin/postgres --version; nginx -v"))
        is_linked = is_set_up and look(machine, outside)
        if options.shell:
            subprocess.run(machine.within("bash"), check=False)
    return 0 if is_linked else 1


if __name__ == "__main__":
    sys.exit(main())
