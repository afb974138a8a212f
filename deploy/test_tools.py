"""Installs what tests or benchmarks need beyond pip and the machine lacks: a browser, HTTP load tools, npm packages.

Usage: python deploy/test_tools.py test|bench

Standard library only. With PUSHSAAS_REQUIRE_TOOLS=1 (CI) a missing tool is an error; otherwise what needs it skips with
a reason.
"""

import hashlib
import os
import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
CLIENTS = ROOT / "tests" / "clients"
REQUIRED = os.environ.get("PUSHSAAS_REQUIRE_TOOLS") == "1"
#: What for -> program -> the Debian package that has it.
DEBIAN_PACKAGES = {
    "test": {"chromium": "chromium", "chromedriver": "chromium-driver"},
    "bench": {"h2load": "nghttp2-client", "nghttpd": "nghttp2-server", "wrk": "wrk", "cc": "gcc"},
}


def missing(text: str) -> None:
    sys.stderr.write(f"pushsaas: {text}\n")
    if REQUIRED:
        sys.exit(1)


def install_programs(kind: str) -> None:
    wanted = [package for program, package in DEBIAN_PACKAGES[kind].items() if shutil.which(program) is None]
    if not wanted:
        return None
    names = " ".join(wanted)
    if shutil.which("apt-get") is None or os.geteuid() != 0:
        return missing(f"some of it will skip: install {names}")
    sys.stdout.write(f"pushsaas: installing {names}\n")
    quiet = {"stdout": subprocess.DEVNULL, "env": {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}}
    subprocess.call(["apt-get", "update", "-qq"], **quiet)
    if kind == "test":
        wanted.append("fonts-noto-cjk")  # else Chinese pages are boxes
    if subprocess.call(["apt-get", "install", "-y", "-qq", "--no-install-recommends", *wanted], **quiet) != 0:
        missing(f"could not install {names}")
    return None


def install_node_packages() -> None:
    lock = CLIENTS / "package-lock.json"
    if not lock.exists():
        return None
    if shutil.which("npm") is None:
        return missing("the tests with Node clients will skip: Node and npm are not installed")
    stamp = CLIENTS / "node_modules" / ".installed"
    wanted = hashlib.sha256(lock.read_bytes()).hexdigest()
    if stamp.exists() and stamp.read_text() == wanted:
        return None
    sys.stdout.write("pushsaas: installing npm packages for the client tests\n")
    if subprocess.call(["npm", "ci", "--silent", "--no-audit", "--no-fund"], cwd=CLIENTS) != 0:
        return missing("npm ci failed")
    stamp.write_text(wanted)
    return None


install_programs(sys.argv[1])
install_node_packages()
