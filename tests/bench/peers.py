"""What BoxVault is compared with: Debian's nginx and docker-registry, as their manuals say they are fast."""

import http.client
import os
import pathlib
import shutil
import subprocess
import sys

from harness import BenchError, Program, free_port, listens

NGINX = """
daemon off;
worker_processes auto;
pid {folder}/nginx.pid;
error_log {folder}/nginx-error.log;
events {{ worker_connections 4096; }}
http {{
    access_log off;
    sendfile on;
    tcp_nopush on;
    default_type application/json;
    client_max_body_size 0;
    client_body_temp_path {folder}/nginx-body;
    proxy_temp_path {folder}/nginx-proxy;
    fastcgi_temp_path {folder}/nginx-fastcgi;
    uwsgi_temp_path {folder}/nginx-uwsgi;
    scgi_temp_path {folder}/nginx-scgi;
    proxy_cache_path {folder}/nginx-cache keys_zone=bench:1m use_temp_path=off;
    server {{
        listen 127.0.0.1:{http};
        listen 127.0.0.1:{https} ssl;
        ssl_certificate {certificate};
        ssl_certificate_key {key};
        root {root};
        location /dav/ {{ dav_methods PUT DELETE; }}
        location /cached/ {{
            proxy_pass http://127.0.0.1:{http}/;
            proxy_http_version 1.1;
            proxy_set_header Connection "";
            proxy_cache bench;
            proxy_cache_valid 200 1h;
        }}
    }}
}}
"""

REGISTRY = """
version: 0.1
log: {{ level: error }}
storage: {{ filesystem: {{ rootdirectory: {root} }}, delete: {{ enabled: true }} }}
http: {{ addr: "127.0.0.1:{port}" }}
"""


def missing(program, package):
    """Why a peer is left out, or nothing."""
    if shutil.which(program, path=search_path()):
        return None
    return f"{program} is not installed (Debian: apt-get install {package})"


def search_path():
    return os.environ.get("PATH", "") + ":/usr/sbin:/sbin"


class Nginx:
    """Serves a folder by sendfile, over HTTP and HTTPS, and takes WebDAV uploads under /dav/."""

    def __init__(self, folder, certificate, key):
        self.root = pathlib.Path(folder) / "nginx-root"
        (self.root / "dav").mkdir(parents=True)
        # Its workers drop their rights when it is started as root.
        pathlib.Path(folder).chmod(0o711)
        self.root.chmod(0o755)
        (self.root / "dav").chmod(0o777)
        self.http, self.https = free_port(), free_port()
        config = pathlib.Path(folder) / "nginx.conf"
        config.write_text(
            NGINX.format(
                folder=folder,
                root=self.root,
                http=self.http,
                https=self.https,
                certificate=certificate,
                key=key,
            )
        )
        program = shutil.which("nginx", path=search_path())
        self.program = Program("nginx", [program, "-c", str(config)], folder)
        self.program.wait_until(lambda: listens(self.https), "listening")

    def url(self, path, scheme="http"):
        return f"{scheme}://127.0.0.1:{self.http if scheme == 'http' else self.https}/{path}"


class Registry:
    """The reference registry of container images, for blobs."""

    def __init__(self, folder):
        self.port = free_port()
        config = pathlib.Path(folder) / "registry.yml"
        root = pathlib.Path(folder) / "registry-root"
        root.mkdir()
        config.write_text(REGISTRY.format(root=root, port=self.port))
        program = shutil.which("docker-registry", path=search_path())
        self.program = Program("docker-registry", [program, "serve", str(config)], folder)
        self.program.wait_until(lambda: listens(self.port), "listening")

    def upload_url(self, digest):
        """Opens an upload; the blob goes to this URL by one PUT."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=20)
        connection.request("POST", "/v2/bench/blobs/uploads/")
        answer = connection.getresponse()
        if answer.status != 202:
            raise BenchError(f"docker-registry answered {answer.status}: {answer.read()[:300]}")
        location = answer.headers["Location"]
        connection.close()
        return f"{location}{'&' if '?' in location else '?'}digest=sha256:{digest}"

    def download_url(self, digest):
        return f"http://127.0.0.1:{self.port}/v2/bench/blobs/sha256:{digest}"


def cache():
    """Where the servers are installed that the storage plugins are tested with."""
    named = os.environ.get("BOXVAULT_CACHE")
    return pathlib.Path(named) if named else pathlib.Path.home() / ".cache" / "boxvault"


def garage_absent():
    """Why Garage is left out, or nothing."""
    if (cache() / "garage" / "bin" / "garage").exists():
        return None
    return "garage is not installed (make conformance-garage)"


class Garage:
    """A server that speaks S3, with one bucket and one key, as the tests start it."""

    region = "us-east-1"

    def __init__(self, folder):
        servers = pathlib.Path(__file__).resolve().parents[2] / "plugins" / "conformance" / "servers"
        self.process = subprocess.Popen(
            [sys.executable, str(servers / "garage.py"), str(cache() / "storage-servers")],
            env=os.environ | {"TMPDIR": str(folder), "RUST_LOG": "garage=warn"},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        )
        words = self.process.stdout.readline().split()
        if len(words) != 4:
            raise BenchError("garage did not start")
        self.endpoint, self.access_key_id, self.secret_access_key, self.bucket = words

    def stop(self):
        """It ends when its input does, and takes its files along."""
        self.process.stdin.close()
        self.process.wait(20)

    def settings(self):
        """A store of the server in it, as variables of its environment."""
        return {
            "BOXVAULT_STORES__MAIN__PLUGIN": "s3",
            "BOXVAULT_STORES__MAIN__ENDPOINT": self.endpoint,
            "BOXVAULT_STORES__MAIN__REGION": self.region,
            "BOXVAULT_STORES__MAIN__BUCKET": self.bucket,
            "BOXVAULT_STORES__MAIN__ACCESS_KEY_ID": self.access_key_id,
            "BOXVAULT_STORES__MAIN__SECRET_ACCESS_KEY": self.secret_access_key,
        }


class FileServer:
    """The transfer room of BoxVault alone, serving a folder: no catalog, no policy, no plugin."""

    def __init__(self, program, folder):
        self.root = pathlib.Path(folder) / "file-server"
        self.root.mkdir()
        port = free_port()
        self.address = f"127.0.0.1:{port}"
        self.program = Program("file_server", [program, str(self.root), self.address], folder)
        self.program.wait_until(lambda: listens(port), "listening")

    def url(self, name):
        return f"http://{self.address}/{name}"
