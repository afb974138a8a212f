"""Makes `.venv` and installs the pinned requirements. Standard library only; `make` calls it with the system's Python.

Usage: python3 deploy/bootstrap.py run|dev

Does nothing when the stamp says that these very requirements are installed. Written so that an old Python can still
read it and say what is wrong.
"""

import hashlib
import os
import shutil
import subprocess
import sys

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
VENV = os.path.join(ROOT, ".venv")
NEEDED = (3, 11)
FILES = {"run": ["requirements.txt"], "dev": ["requirements.txt", "requirements-dev.txt"]}


def say(text):
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


def fail(text):
    sys.stderr.write("pushsaas: " + text + "\n")
    sys.exit(1)


def suitable_python():
    """This interpreter if it is new enough, else a newer one on the PATH."""
    if sys.version_info >= NEEDED:
        return sys.executable
    for minor in range(14, NEEDED[1] - 1, -1):
        found = shutil.which("python3.%d" % minor)
        if found and subprocess.call([found, "-c", "import venv"], stderr=subprocess.DEVNULL) == 0:
            return found
    return fail(
        "Python %d.%d or newer is needed, this is %d.%d. Install one, or name it: make run PYTHON=/path/to/python3.11"
        % (NEEDED + tuple(sys.version_info[:2]))
    )


def digest(kind):
    hashed = hashlib.sha256()
    for name in FILES[kind]:
        with open(os.path.join(ROOT, name), "rb") as file:
            hashed.update(file.read())
    return hashed.hexdigest()


def count_packages(kind):
    count = 0
    for name in FILES[kind]:
        with open(os.path.join(ROOT, name)) as file:
            count += sum("==" in line for line in file)
    return count


def make_venv(interpreter):
    if os.path.exists(os.path.join(VENV, "bin", "pip")):
        return
    say("pushsaas: making .venv with %s" % interpreter)
    if subprocess.call([interpreter, "-m", "venv", VENV]) != 0:
        fail("could not make .venv (on Debian the package python3-venv is needed)")


def install(kind):
    stamp = os.path.join(VENV, ".installed-" + kind)
    wanted = digest(kind)
    if os.path.exists(stamp):
        with open(stamp) as file:
            if file.read() == wanted:
                return
    total = count_packages(kind)
    say("pushsaas: installing %d packages (once; about a minute)" % total)
    command = [os.path.join(VENV, "bin", "python"), "-m", "pip", "install", "--disable-pip-version-check"]
    command += ["--progress-bar", "off", "-r", os.path.join(ROOT, FILES[kind][-1])]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, universal_newlines=True)
    tail, done = [], 0
    for line in process.stdout:
        tail = tail[-15:] + [line]
        if line.startswith("Collecting "):
            done += 1
            if done % 10 == 0:
                say("pushsaas:   %d of %d" % (done, total))
        elif line.startswith("Installing collected"):
            say("pushsaas:   unpacking")
    if process.wait() != 0:
        sys.stderr.write("".join(tail))
        fail("installing the requirements failed; see above")
    with open(stamp, "w") as file:
        file.write(wanted)


def main():
    kind = sys.argv[1] if len(sys.argv) > 1 else "run"
    if kind not in FILES:
        fail("usage: bootstrap.py run|dev")
    make_venv(suitable_python())
    install(kind)


main()
