"""The clients: curl for bytes, wrk for requests, and a thousand sockets that hardly read."""

import os
import re
import socket
import ssl
import subprocess
import time
from dataclasses import dataclass

from harness import BenchError

RUN_SECONDS_MAX = 180
CURL = ["curl", "--silent", "--show-error", "--fail", "--insecure", "--http1.1"]


@dataclass
class Sample:
    """One measured run of one program."""

    seconds: float
    cpu_seconds: float
    amount: float

    def per_second(self):
        return self.amount / self.seconds

    def cpu_per_amount(self):
        return self.cpu_seconds / self.amount


def measured(program, amount, run):
    """Times `run` and what `program` (which may be nothing) spends on it."""
    cpu_before = program.cpu_seconds() if program else 0.0
    began = time.monotonic()
    run()
    seconds = time.monotonic() - began
    cpu_after = program.cpu_seconds() if program else 0.0
    return Sample(seconds, cpu_after - cpu_before, amount)


def run_all(commands, seconds_max=RUN_SECONDS_MAX):
    """Runs commands at the same time; all must succeed."""
    running = [
        subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
        for command in commands
    ]
    deadline = time.monotonic() + seconds_max
    problems = []
    for process in running:
        try:
            _, errors = process.communicate(timeout=max(0.1, deadline - time.monotonic()))
        except subprocess.TimeoutExpired:
            process.kill()
            _, errors = process.communicate()
            problems.append(f"not done after {seconds_max} s")
        if process.returncode != 0:
            problems.append(errors.decode(errors="replace").strip())
    if problems:
        raise BenchError(f"{len(problems)} of {len(commands)} clients failed: {problems[0]}")


def with_headers(headers):
    return [argument for header in headers for argument in ("--header", header)]


def download(url, headers=(), clients=1, bytes_each=None):
    """Downloads to nowhere. Several clients take a part of the file each."""
    part = [] if bytes_each is None else ["--range", f"0-{bytes_each - 1}"]
    command = [*CURL, *with_headers(headers), *part, "--output", "/dev/null", url]
    run_all([command] * clients)


def upload(path, url, headers=(), limit_rate=None):
    run_all([upload_command(path, url, headers, limit_rate)])


def upload_command(path, url, headers=(), limit_rate=None):
    # Without `Expect`, which would add a round trip to every server that honors it.
    limit = ["--limit-rate", limit_rate] if limit_rate else []
    extra = with_headers([*headers, "Expect:"])
    return [*CURL, *extra, *limit, "--upload-file", str(path), url]


def requests_per_second(url, headers, connections, seconds):
    """Requests that wrk has answered per second; any answer but 2xx fails."""
    command = ["wrk", "-t1", f"-c{connections}", f"-d{seconds}s"]
    for header in headers:
        command += ["-H", header]
    done = subprocess.run(
        [*command, url], capture_output=True, text=True, timeout=seconds + 30, check=True
    )
    if "Non-2xx" in done.stdout or "Socket errors" in done.stdout:
        raise BenchError(f"wrk saw errors at {url}:\n{done.stdout}")
    found = re.search(r"(\d+) requests in", done.stdout)
    if not found:
        raise BenchError(f"wrk said nothing that is known:\n{done.stdout}")
    return int(found.group(1))


class SlowReaders:
    """Many downloads whose clients take a few KiB a second each."""

    def __init__(self):
        self.sockets = []

    def open(self, address, path, headers, count, tls):
        """Begins the downloads, one after the other."""
        host, _, port = address.partition(":")
        context = ssl.create_default_context()
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
        lines = [f"GET {path} HTTP/1.1", f"Host: {address}", *headers, "", ""]
        request = "\r\n".join(lines).encode()
        for _ in range(count):
            plain = socket.socket()
            # So small that the kernel does not take the download for the client.
            plain.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 8 << 10)
            plain.settimeout(30)
            plain.connect((host, int(port)))
            client = context.wrap_socket(plain) if tls else plain
            client.sendall(request)
            self.sockets.append(client)

    def read_for(self, seconds):
        """Reads a little from each, again and again. All must still get bytes at the end."""
        deadline = time.monotonic() + seconds
        first = True
        while first or time.monotonic() < deadline:
            for client in self.sockets:
                received = client.recv(4 << 10)
                if not received or (first and not received.startswith(b"HTTP/1.1 200")):
                    raise BenchError(f"a slow download was refused or cut: {received[:500]}")
            first = False
            time.sleep(0.5)

    def close(self):
        for client in self.sockets:
            client.close()


def free_bytes(path):
    state = os.statvfs(path)
    return state.f_bavail * state.f_frsize
