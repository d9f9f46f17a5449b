"""What it costs that a file comes through a mirror for the first time, and afterwards."""

import itertools
import json

import load
import peers
from boxvault import BoxVault

GIB = 1 << 30
BOX = "measured"
VERSION = "1.0.0"
PROVIDER = "libvirt"
ARCHITECTURE = "amd64"
SETTINGS = {
    "BOXVAULT_MIRROR__UPSTREAM_HOSTS": "127.0.0.1",
    "BOXVAULT_MIRROR__PRIVATE_ADDRESSES_ALLOWED": "true",
}


def parts(bench):
    return [lambda: pulled_through(bench)]


def pulled_through(bench):
    """Each round has an organization of its own, so that nothing of it is there yet."""
    if bench.nginx is None:
        bench.note_absent(peers.missing("nginx", "nginx-light"))
        return
    folder = bench.folder / "mirror"
    folder.mkdir()
    server = BoxVault(bench.server.binary, folder, SETTINGS)
    try:
        server.set_up()
        offer(bench)
        numbers = itertools.count()
        first = {
            "BoxVault": lambda: measure(bench, server.program, *cold(bench, server, next(numbers))),
            "nginx": lambda: measure(bench, bench.nginx.program, bench.nginx.url("measured.box"), []),
            "nginx proxy_cache": lambda: measure(
                bench, bench.nginx.program, bench.nginx.url(f"cached/measured.box?{next(numbers)}"), []
            ),
        }
        samples = bench.alternate(first)
        speeds = {name: [it.per_second() for it in runs] for name, runs in samples.items()}
        for peer in ("nginx", "nginx proxy_cache"):
            bench.compare("mirror, the first download: GiB/s", speeds, peer)
        url, headers = cold(bench, server, next(numbers))
        bench.same_bytes(url, headers)
        servers = {
            "BoxVault": (server.program, url, headers),
            "nginx": (bench.nginx.program, bench.nginx.url("measured.box"), []),
        }
        bench.download_row("mirror, download afterwards", 1, servers, {})
    finally:
        server.program.stop()


def measure(bench, program, url, headers):
    return load.measured(program, bench.size_bytes / GIB, lambda: load.download(url, headers))


def offer(bench):
    """A catalogue of one box in nginx's folder, whose file is the measured one."""
    provider = {
        "name": PROVIDER,
        "architecture": ARCHITECTURE,
        "url": bench.nginx.url("measured.box"),
        "checksum_type": "sha256",
        "checksum": bench.digest,
    }
    catalogue = {
        "name": f"there/{BOX}",
        "versions": [{"version": VERSION, "providers": [provider]}],
    }
    (bench.nginx.root / "measured.json").write_text(json.dumps(catalogue))


def cold(bench, server, number):
    """A mirror that has nothing yet: the URL of its file, and the headers to ask with."""
    name = f"mirror-{number}"
    server.post("/api/organization", {"name": name})
    server.post(
        f"/api/organization/{name}/mirror",
        {"url": bench.nginx.url("measured.json"), "isPublic": False},
        "PUT",
    )
    path = f"{name}/boxes/{BOX}/versions/{VERSION}/providers/{PROVIDER}/{ARCHITECTURE}/vagrant.box"
    return f"http://{server.http}/{path}", server.headers()
