"""Programs as the bench sees them: started, watched through /proc, and stopped again."""

import os
import pathlib
import resource
import signal
import socket
import subprocess
import threading
import time

TICKS_PER_SECOND = os.sysconf("SC_CLK_TCK")
START_SECONDS_MAX = 60
STOP_SECONDS_MAX = 20
SAMPLE_SECONDS = 0.05


class BenchError(Exception):
    """Something that makes a measurement meaningless."""


class Program:
    """A server that runs in the background, with all its worker processes."""

    def __init__(self, name, command, folder, environment=None):
        self.name = name
        self.log_path = pathlib.Path(folder) / f"{name}.log"
        with open(self.log_path, "wb") as log:
            self.process = subprocess.Popen(
                command,
                cwd=folder,
                env=environment,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
            )

    @property
    def pid(self):
        return self.process.pid

    def wait_until(self, condition, what):
        """Polls until `condition()` is true; fails when the program ends or the time is up."""
        deadline = time.monotonic() + START_SECONDS_MAX
        while not condition():
            if self.process.poll() is not None:
                raise BenchError(f"{self.name} ended before {what}:\n{self.log_tail()}")
            if time.monotonic() > deadline:
                raise BenchError(f"{self.name}: {what} took too long:\n{self.log_tail()}")
            time.sleep(0.005)

    def log_tail(self):
        return self.log_path.read_text(errors="replace")[-2000:]

    def processes(self):
        """Its process and all their descendants."""
        found, todo = [], [self.pid]
        while todo:
            pid = todo.pop()
            found.append(pid)
            for task in pathlib.Path(f"/proc/{pid}/task").glob("*"):
                try:
                    todo += map(int, (task / "children").read_text().split())
                except FileNotFoundError:
                    pass
        return found

    def cpu_seconds(self):
        """User and system time so far, of all its processes that still run."""
        ticks = 0
        for pid in self.processes():
            # The name, in parentheses, may contain spaces.
            fields = pathlib.Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
            ticks += int(fields[11]) + int(fields[12])
        return ticks / TICKS_PER_SECOND

    def memory_mib(self):
        """Resident memory of all its processes: all of it, and what is not backed by a file."""
        resident = anonymous = 0
        for pid in self.processes():
            for line in pathlib.Path(f"/proc/{pid}/status").read_text().splitlines():
                key, _, value = line.partition(":")
                if key == "VmRSS":
                    resident += int(value.split()[0])
                elif key == "RssAnon":
                    anonymous += int(value.split()[0])
        return resident / 1024, anonymous / 1024

    def stop(self):
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
        try:
            self.process.wait(STOP_SECONDS_MAX)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()


class MemoryWatch:
    """The most memory that a program has while the block runs."""

    def __init__(self, program):
        self.program = program
        self.resident_mib = self.anonymous_mib = 0
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)

    def __enter__(self):
        self._thread.start()
        return self

    def __exit__(self, *_):
        self._ended.set()
        self._thread.join()

    def _watch(self):
        while not self._ended.is_set():
            resident, anonymous = self.program.memory_mib()
            self.resident_mib = max(self.resident_mib, resident)
            self.anonymous_mib = max(self.anonymous_mib, anonymous)
            self._ended.wait(SAMPLE_SECONDS)


def free_port():
    """A port of the loopback that nobody listens on now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def listens(port):
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def raise_open_files_limit():
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    return hard
