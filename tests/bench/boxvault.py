"""The server under test, told nothing that an operator could not tell it."""

import http.client
import io
import json
import os
import pathlib
import subprocess
import tarfile
import time

from harness import BenchError, Program

OWNER = "bench-owner"
PASSWORD = "correct horse battery"
ORGANIZATION = "bench"
PROVIDER = "libvirt"
ARCHITECTURE = "amd64"


class BoxVault:
    """A server on an empty data folder, with one organization and a token for its owner."""

    def __init__(self, program, folder, settings=None):
        self.binary = program
        self.folder = pathlib.Path(folder)
        self.environment = {
            key: value for key, value in os.environ.items() if not key.startswith("BOXVAULT_")
        } | {
            "BOXVAULT_SERVER__HTTP_LISTEN": "127.0.0.1:0",
            "BOXVAULT_SERVER__HTTPS_LISTEN": "127.0.0.1:0",
            # One client sends everything here; and nginx writes no line per request either.
            "BOXVAULT_LIMITS__REQUESTS_PER_MINUTE": "0",
            "BOXVAULT_LIMITS__SIGN_IN_REQUESTS_PER_MINUTE": "0",
            "BOXVAULT_LOG__FILTER": "warn",
            **(settings or {}),
        }
        self.token = None
        self.start()

    def start(self):
        """Starts it on whatever its data folder holds."""
        addresses = self.folder / "data" / "run" / "addresses.json"
        began = time.monotonic()
        self.program = Program("boxvault", [self.binary], self.folder, self.environment)
        self.program.wait_until(lambda: filled(addresses), "listening")
        found = json.loads(addresses.read_text())
        self.http, self.https = found["http"], found["https"]
        self.program.wait_until(self.is_ready, "being ready")
        self.start_seconds = time.monotonic() - began

    def restart(self):
        self.program.stop()
        # It removes this itself; but a server that was killed would not have.
        (self.folder / "data" / "run" / "addresses.json").unlink(missing_ok=True)
        self.start()

    def is_ready(self):
        try:
            return self.request("GET", "/health/ready")[0] == 200
        except OSError:
            return False

    def set_up(self):
        """Makes the owner, their token, and the organization."""
        arguments = ["user", "create", OWNER, "--email", "bench@example.com"]
        self.command([*arguments, "--platform-admin", "--password-stdin"], PASSWORD)
        self.token = self.command(["token", "create", "--user", OWNER]).strip()
        self.post("/api/organization", {"name": ORGANIZATION})

    def command(self, arguments, text=""):
        done = subprocess.run(
            [self.binary, *arguments],
            cwd=self.folder,
            env=self.environment,
            input=text,
            capture_output=True,
            text=True,
            timeout=60,
        )
        if done.returncode != 0:
            raise BenchError(f"boxvault {' '.join(arguments)} failed: {done.stderr}")
        return done.stdout

    def request(self, method, path, body=None):
        connection = http.client.HTTPConnection(self.http, timeout=60)
        headers = {"Accept": "application/json"}
        if self.token is not None:
            headers["Authorization"] = f"Bearer {self.token}"
        if body is not None:
            headers["Content-Type"] = "application/json"
            body = json.dumps(body)
        connection.request(method, path, body, headers)
        answer = connection.getresponse()
        content = answer.read()
        connection.close()
        return answer.status, content

    def post(self, path, body, method="POST"):
        status, content = self.request(method, path, body)
        if status not in (200, 201):
            raise BenchError(f"{method} {path} answered {status}: {content[:500]}")

    def make_box(self, name):
        # Private, so that every request to it is authenticated and decided upon.
        self.post(f"/api/organization/{ORGANIZATION}/box", {"name": name, "isPublic": False})

    def make_slot(self, box, version):
        """A place for one file; returns the path to upload it to."""
        path = f"/api/organization/{ORGANIZATION}/box/{box}/version"
        self.post(path, {"versionNumber": version})
        path = f"{path}/{version}/provider"
        self.post(path, {"name": PROVIDER})
        path = f"{path}/{PROVIDER}/architecture"
        self.post(path, {"name": ARCHITECTURE})
        return f"{path}/{ARCHITECTURE}/file/upload"

    def release(self, box, version):
        path = f"/api/organization/{ORGANIZATION}/box/{box}/version/{version}/release"
        self.post(path, None, "PUT")

    def download_url(self, box, version, scheme="http"):
        address = self.http if scheme == "http" else self.https
        return (
            f"{scheme}://{address}/{ORGANIZATION}/boxes/{box}/versions/{version}"
            f"/providers/{PROVIDER}/{ARCHITECTURE}/vagrant.box"
        )

    def metadata_path(self, box):
        return f"/{ORGANIZATION}/{box}"

    def headers(self):
        return [f"Authorization: Bearer {self.token}"]


def filled(path):
    return path.exists() and path.stat().st_size > 0


def write_box(path, size_bytes):
    """A box of about this size: `metadata.json`, then a disk that does not compress."""
    metadata = json.dumps({"provider": PROVIDER, "format": "qcow2"}).encode()
    disk_bytes = size_bytes - 4096
    with tarfile.open(path, "w") as archive:
        entry = tarfile.TarInfo("metadata.json")
        entry.size = len(metadata)
        archive.addfile(entry, io.BytesIO(metadata))
        entry = tarfile.TarInfo("box.img")
        entry.size = disk_bytes
        with open("/dev/urandom", "rb", buffering=1 << 20) as noise:
            archive.addfile(entry, noise)
