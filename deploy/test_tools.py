"""Installs what the real-client and browser tests need and the machine lacks: Chromium and its driver, npm packages.

Standard library only. With PUSHSAAS_REQUIRE_TOOLS=1 (CI) a missing tool is an error; otherwise the tests that need it
skip with a reason.
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
DEBIAN_PACKAGES = {"chromium": "chromium", "chromedriver": "chromium-driver"}


def missing(text: str) -> None:
    sys.stderr.write(f"pushsaas: {text}\n")
    if REQUIRED:
        sys.exit(1)


def install_browser() -> None:
    wanted = [package for program, package in DEBIAN_PACKAGES.items() if shutil.which(program) is None]
    if not wanted:
        return None
    if shutil.which("apt-get") is None or os.geteuid() != 0:
        return missing(f"the browser tests will skip: install {' '.join(wanted)}")
    sys.stdout.write(f"pushsaas: installing {' '.join(wanted)} for the browser tests\n")
    quiet = {"stdout": subprocess.DEVNULL, "env": {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}}
    subprocess.call(["apt-get", "update", "-qq"], **quiet)
    fonts = "fonts-noto-cjk"  # else Chinese pages are boxes
    if subprocess.call(["apt-get", "install", "-y", "-qq", "--no-install-recommends", *wanted, fonts], **quiet) != 0:
        missing(f"could not install {' '.join(wanted)}")
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


install_browser()
install_node_packages()
