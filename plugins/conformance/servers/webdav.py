"""A WebDAV server for one test: WsgiDAV, with a user of its own.

Prints its URL, a user and the password, in one line. Ends when its standard input does, so that it never outlives who
started it.
"""

import os
import secrets
import shutil
import sys
import tempfile
import threading

from cheroot import wsgi
from wsgidav.wsgidav_app import WsgiDAVApp

folder = tempfile.mkdtemp(prefix="boxvault-webdav-")
os.mkdir(os.path.join(folder, "dav"))
user, password = "boxvault", secrets.token_urlsafe(24)
app = WsgiDAVApp(
    {
        "provider_mapping": {"/": folder},
        "simple_dc": {"user_mapping": {"*": {user: {"password": password}}}},
        "http_authenticator": {"accept_basic": True, "accept_digest": False, "default_to_digest": False},
        "logging": {"enable": False},
        "verbose": 0,
    }
)
server = wsgi.Server(("127.0.0.1", 0), app, numthreads=40, request_queue_size=128)
server.prepare()
threading.Thread(target=server.serve, daemon=True).start()
print(f"http://127.0.0.1:{server.bind_addr[1]}/dav", user, password, flush=True)
sys.stdin.read()
shutil.rmtree(folder, ignore_errors=True)
os._exit(0)
