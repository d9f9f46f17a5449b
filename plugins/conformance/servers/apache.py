"""A WebDAV server for one test: Apache's, with a user of its own, run by whoever runs the test.

Prints its URL, a user and the password, in one line. Ends when its standard input does, so that it never outlives who
started it.
"""

import base64
import hashlib
import os
import secrets
import shutil
import socket
import subprocess
import sys
import tempfile
import time

apache = shutil.which("apache2", path=os.environ["PATH"] + ":/usr/sbin:/usr/local/sbin")
modules = "/usr/lib/apache2/modules"
if not apache or not os.path.isfile(f"{modules}/mod_dav_fs.so"):
    sys.exit("Apache is missing")
folder = tempfile.mkdtemp(prefix="boxvault-apache-")
user, password = "boxvault", secrets.token_urlsafe(24)
for name in ("boxes/dav", "state"):
    os.makedirs(os.path.join(folder, name))
with open(os.path.join(folder, "users"), "w") as file:
    file.write(f"{user}:{{SHA}}{base64.b64encode(hashlib.sha1(password.encode()).digest()).decode()}\n")
# as root it serves as somebody else, who has to get there
os.chmod(folder, 0o711)
as_whom = ""
if os.geteuid() == 0:
    as_whom = "User www-data\nGroup www-data\n"
    for name in ("boxes", "boxes/dav", "state"):
        shutil.chown(os.path.join(folder, name), "www-data", "www-data")
with socket.create_server(("127.0.0.1", 0)) as found:
    port = found.getsockname()[1]
names = "mpm_event authn_core authn_file auth_basic authz_core authz_user dav dav_fs"
load = "".join(f"LoadModule {name}_module {modules}/mod_{name}.so\n" for name in names.split())
config = os.path.join(folder, "apache.conf")
with open(config, "w") as file:
    file.write(
        f"{load}{as_whom}ServerRoot {folder}\nServerName 127.0.0.1\nListen 127.0.0.1:{port}\n"
        f"PidFile {folder}/pid\nErrorLog {folder}/errors\nMutex file:{folder}/state\nDefaultRuntimeDir {folder}/state\n"
        f"DocumentRoot {folder}/boxes\nDavLockDB {folder}/state/locks\nLimitRequestBody 0\nThreadsPerChild 64\nMaxRequestWorkers 384\n"
        f"<Directory {folder}/boxes>\nDav On\nDavDepthInfinity On\nAuthType Basic\nAuthName boxes\n"
        f"AuthUserFile {folder}/users\nRequire valid-user\n</Directory>\n"
    )
server = subprocess.Popen([apache, "-f", config, "-D", "FOREGROUND"], stdout=sys.stderr)
for _ in range(200):
    with socket.socket() as probe:
        if probe.connect_ex(("127.0.0.1", port)) == 0:
            break
    if server.poll() is not None:
        sys.exit("Apache has ended")
    time.sleep(0.05)
print(f"http://127.0.0.1:{port}/dav", user, password, flush=True)
sys.stdin.read()
server.terminate()
server.wait()
shutil.rmtree(folder, ignore_errors=True)
os._exit(0)
