"""An SFTP server for one test: OpenSSH's, with keys of its own, run by whoever runs the test.

Prints its port, a user, the user's key file, the file of known hosts and a folder, in one line. Ends when its standard
input does, so that it never outlives who started it. The word "cut" there ends what serves the open connections.
"""

import os
import pwd
import shutil
import socket
import subprocess
import sys
import tempfile
import threading

sshd = shutil.which("sshd", path=os.environ["PATH"] + ":/usr/sbin:/usr/local/sbin")
if not sshd or not shutil.which("ssh"):
    sys.exit("OpenSSH's server or client is missing")
if os.geteuid() == 0:
    # where it goes before a user is known; the package makes it when the machine starts
    os.makedirs("/run/sshd", mode=0o755, exist_ok=True)
folder = tempfile.mkdtemp(prefix="boxvault-sftp-")
boxes = os.path.join(folder, "boxes")
os.mkdir(boxes)


def key(name):
    path = os.path.join(folder, name)
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", name, "-f", path], check=True)
    return path


host_key, user_key = key("host"), key("user")
config = os.path.join(folder, "sshd_config")
with open(config, "w") as file:
    file.write(
        f"HostKey {host_key}\nAuthorizedKeysFile {user_key}.pub\nStrictModes no\nUsePAM no\nPidFile none\n"
        "PasswordAuthentication no\nKbdInteractiveAuthentication no\nMaxStartups 100\nSubsystem sftp internal-sftp\n"
        # what is against tomorrow's computers costs most of the time of a connection
        "KexAlgorithms curve25519-sha256\n"
    )

listener = socket.create_server(("127.0.0.1", 0), backlog=64)
port = listener.getsockname()[1]
known = os.path.join(folder, "known_hosts")
with open(f"{host_key}.pub") as public, open(known, "w") as file:
    # by its port, and without one for who comes by a tunnel
    file.write(f"[127.0.0.1]:{port},127.0.0.1 {public.read()}")


served = []


def serve():
    while True:
        connection, _ = listener.accept()
        # there is nothing to wait for on one machine
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        with connection:
            process = subprocess.Popen(
                [sshd, "-i", "-f", config], stdin=connection, stdout=connection, stderr=subprocess.DEVNULL
            )
        served.append(process)


def cut():
    for process in served:
        process.kill()
        process.wait()
    served.clear()


threading.Thread(target=serve, daemon=True).start()
print(port, pwd.getpwuid(os.geteuid()).pw_name, user_key, known, boxes, flush=True)
for line in sys.stdin:
    if line.strip() == "cut":
        cut()
        print("done", flush=True)
cut()
shutil.rmtree(folder, ignore_errors=True)
os._exit(0)
