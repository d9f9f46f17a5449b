"""An S3 server for one test: Garage, with one node, a key and a bucket. `make conformance-garage` installs it.

Prints its URL, an access key, its secret and a bucket, in one line. Ends when its standard input does, so that it never
outlives who started it.
"""

import os
import secrets
import shutil
import socket
import subprocess
import sys
import tempfile
import time

garage = os.path.join(os.path.dirname(sys.argv[1]), "garage", "bin", "garage")
if not os.path.isfile(garage):
    sys.exit("Garage is missing")
folder = tempfile.mkdtemp(prefix="boxvault-garage-")
key, secret, bucket = "GK" + secrets.token_hex(12), secrets.token_hex(32), "boxes"
ports = []
for found in [socket.create_server(("127.0.0.1", 0)) for _ in range(2)]:
    ports.append(found.getsockname()[1])
    found.close()
rpc, api = ports
config = os.path.join(folder, "garage.toml")
with open(config, "w") as file:
    file.write(
        f'metadata_dir = "{folder}/meta"\ndata_dir = "{folder}/data"\ndb_engine = "sqlite"\nreplication_factor = 1\n'
        f'rpc_bind_addr = "127.0.0.1:{rpc}"\nrpc_public_addr = "127.0.0.1:{rpc}"\nrpc_secret = "{secrets.token_hex(32)}"\n'
        f'[s3_api]\ns3_region = "us-east-1"\napi_bind_addr = "127.0.0.1:{api}"\n'
    )
server = subprocess.Popen(
    [garage, "-c", config, "server", "--single-node", "--default-bucket"],
    env={
        **os.environ,
        "GARAGE_DEFAULT_ACCESS_KEY": key,
        "GARAGE_DEFAULT_SECRET_KEY": secret,
        "GARAGE_DEFAULT_BUCKET": bucket,
    },
    stdout=sys.stderr,
)
for _ in range(400):
    with socket.socket() as probe:
        if probe.connect_ex(("127.0.0.1", api)) == 0:
            break
    if server.poll() is not None:
        sys.exit("Garage has ended")
    time.sleep(0.05)
print(f"http://127.0.0.1:{api}", key, secret, bucket, flush=True)
sys.stdin.read()
server.terminate()
server.wait()
shutil.rmtree(folder, ignore_errors=True)
os._exit(0)
