"""What a store costs beyond its bytes: the plugin boundary, a process of its own, the way past the server."""

import json
import os
import pathlib
import subprocess

import load
import peers
from boxvault import BoxVault
from harness import BenchError, MemoryWatch
from report import Row, median, spread

GIB = 1 << 30
MIB = 1 << 20
CLIENTS_MANY = 64
CONNECTIONS = 32
UPLOADS_AT_ONCE = 8
BOX = "measured"
VERSION = "1.0.0"


def parts(bench):
    return [
        lambda: fs_beside_no_plugin(bench),
        lambda: fs_in_its_own_process(bench),
        lambda: uploads_to_s3(bench),
        lambda: past_the_server(bench),
    ]


def garage(bench):
    """A server that speaks S3, started for the first part that asks; none where it is not installed."""
    absent = peers.garage_absent()
    if absent is not None:
        bench.note_absent(absent)
        return None
    if bench.garage is None:
        bench.garage = peers.Garage(bench.folder)
        bench.running.append(bench.garage)
    return bench.garage


def example(bench, name):
    """A program of `examples/` that was built with the server, or none."""
    path = pathlib.Path(bench.server.binary).parent / "examples" / name
    if path.exists():
        return str(path)
    bench.note_absent(f"{path} was not built (cargo build --release --workspace --examples)")
    return None


def another(bench, name, settings):
    """A server of its own, with a box of the measured bytes."""
    folder = bench.folder / name
    folder.mkdir()
    server = BoxVault(bench.server.binary, folder, settings)
    server.set_up()
    server.make_box(BOX)
    slot = server.make_slot(BOX, VERSION)
    load.upload(bench.file, f"http://{server.http}{slot}", server.headers())
    server.release(BOX, VERSION)
    return server


def fs_beside_no_plugin(bench):
    """Downloads of the default store, which is a plugin, beside the transfer room alone."""
    program = example(bench, "file_server")
    if program is None:
        return
    alone = peers.FileServer(program, bench.folder)
    try:
        os.link(bench.file, alone.root / "measured.box")
        servers = {
            "BoxVault": (bench.server.program, bench.url(), bench.server.headers()),
            "no plugin": (alone.program, alone.url("measured.box"), []),
        }
        for _, url, headers in servers.values():
            bench.same_bytes(url, headers)
        targets = {"no plugin": (0.91, None)}
        for clients in (1, CLIENTS_MANY):
            bench.download_row("fs through its plugin, download", clients, servers, targets)
    finally:
        alone.program.stop()


def fs_in_its_own_process(bench):
    """`isolation = "process"` beside the same library in the server."""
    settings = {
        "BOXVAULT_STORES__MAIN__PLUGIN": "fs",
        "BOXVAULT_STORES__MAIN__ROOT": "data/store",
        "BOXVAULT_STORES__MAIN__ISOLATION": "process",
    }
    server = another(bench, "isolated", settings)
    try:
        inside = (bench.server.program, bench.url(), bench.server.headers())
        url = server.download_url(BOX, VERSION)
        bench.same_bytes(url, server.headers())
        servers = {"BoxVault": (server.program, url, server.headers()), "in the server": inside}
        bench.download_row("fs in its own process, download", 1, servers, {})
        samples = bench.alternate(
            {
                "BoxVault": lambda: bench.upload_to_boxvault(server),
                "in the server": lambda: bench.upload_to_boxvault(bench.server),
            }
        )
        speeds = {name: [it.per_second() for it in runs] for name, runs in samples.items()}
        bench.compare("fs in its own process, upload: GiB/s", speeds, "in the server")
    finally:
        server.program.stop()


def uploads_to_s3(bench):
    """The s3 plugin through its library, beside OpenDAL by itself."""
    program = example(bench, "upload_speed")
    s3 = garage(bench)
    if program is None or s3 is None:
        return
    mib = bench.size_bytes // MIB
    plugin = pathlib.Path(bench.server.binary).parent / "libboxvault_storage_s3.so"
    place = [str(plugin), s3.endpoint, s3.region, s3.bucket, s3.access_key_id]
    done = subprocess.run(
        [program, *place, str(mib), str(bench.rounds)],
        input=s3.secret_access_key,
        capture_output=True,
        text=True,
        timeout=600,
    )
    if done.returncode != 0:
        raise BenchError(f"upload_speed: {done.stderr[-300:]}")
    figures = json.loads(done.stdout)
    speeds = {
        "BoxVault": [mib / 1024 / seconds for seconds in figures["library_s"]],
        "OpenDAL": [mib / 1024 / seconds for seconds in figures["opendal_s"]],
    }
    bench.compare("s3 plugin, upload to Garage: GiB/s", speeds, "OpenDAL", at_least=0.9)
    work = "s3 plugin, both uploads in one program: memory at most"
    bench.rows.append(Row(work, f"{figures['peak_mib']}", "", figures["peak_mib"], unit="MiB"))


def past_the_server(bench):
    """Downloads that are answered with an address at the store; then what the server takes for there."""
    absent, s3 = peers.missing("wrk", "wrk"), garage(bench)
    if absent is not None or s3 is None:
        bench.note_absent(absent)
        return
    settings = s3.settings() | {"BOXVAULT_STORES__MAIN__TRANSFER": "redirect"}
    server = another(bench, "redirecting", settings)
    try:
        url, headers = server.download_url(BOX, VERSION), server.headers()
        is_redirect(url, headers)
        bench.same_bytes(url, headers)
        samples = bench.alternate({"BoxVault": requests_case(bench, server, url, headers)})["BoxVault"]
        speeds = [sample.per_second() for sample in samples]
        costs = [sample.cpu_per_amount() for sample in samples]
        work = "download by redirect: requests/s"
        ours = f"{spread(speeds)}, {median(costs):.0f} µs of CPU each"
        bench.rows.append(Row(work, ours, "", median(speeds), at_least=1000, unit="/s"))
        memory_of_uploads(bench, server)
    finally:
        server.program.stop()


def requests_case(bench, server, url, headers):
    seconds = 2 if bench.quick else 5

    def run():
        cpu_before = server.program.cpu_seconds()
        answers = load.requests_per_second(url, headers, CONNECTIONS, seconds)
        cpu_seconds = server.program.cpu_seconds() - cpu_before
        return load.Sample(seconds, cpu_seconds * 1e6, answers)

    return run


def is_redirect(url, headers):
    """No byte of a box may go through the server; nginx and wrk would not notice."""
    command = [*load.CURL, *load.with_headers(headers), "--output", "/dev/null"]
    command += ["--write-out", "%{http_code} %{size_download}", url]
    answer = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    status, _, size_bytes = answer.partition(" ")
    if status != "302" or int(size_bytes) > 1024:
        raise BenchError(f"{url} answered {status} with {size_bytes} bytes, and not with a redirect")


def memory_of_uploads(bench, server):
    """A transfer holds a few parts, however long the box is."""
    server.restart()
    commands = []
    for number in range(UPLOADS_AT_ONCE):
        slot = server.make_slot(BOX, f"3.0.{number}")
        url = f"http://{server.http}{slot}"
        commands.append(load.upload_command(bench.file, url, server.headers()))
    with MemoryWatch(server.program) as watch:
        load.run_all(commands)
    work = f"memory, {UPLOADS_AT_ONCE} uploads to S3 at once"
    bench.memory_row(work, watch.resident_mib, watch.anonymous_mib, None)
