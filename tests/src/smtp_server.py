"""A mail server for tests, on aiosmtpd: takes messages and puts each as a JSON file into a folder.

    smtp_server.py FOLDER PORT [CERTIFICATE_AND_KEY.pem NAME PASSWORD]

With a certificate it wants STARTTLS, name and password. It prints its port. A recipient whose name begins with
"refused" is refused for good, one that begins with "later" for now.
"""

import asyncio
import json
import os
import ssl
import sys

from aiosmtpd.smtp import SMTP, AuthResult


class Handler:
    def __init__(self, folder):
        self.folder = folder
        self.count = 0

    async def handle_RCPT(self, server, session, envelope, address, options):
        if address.startswith("refused"):
            return f"550 5.1.1 <{address}>: no such mailbox"
        if address.startswith("later"):
            return f"451 4.2.1 <{address}>: come back later"
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, server, session, envelope):
        self.count += 1
        message = {
            "from": envelope.mail_from,
            "to": envelope.rcpt_tos,
            "content": envelope.content.decode("utf-8"),
            "tls": session.ssl is not None,
            "authenticated": bool(session.authenticated),
        }
        path = os.path.join(self.folder, f"{os.getpid()}-{self.count:04}.json")
        with open(path + ".new", "w", encoding="utf-8") as file:
            json.dump(message, file)
        os.rename(path + ".new", path)
        return "250 OK"


async def main():
    folder, port, *secure = sys.argv[1:]
    options = {}
    if secure:
        pem, name, password = secure
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        context.load_cert_chain(pem)

        def authenticate(server, session, envelope, mechanism, data):
            fits = (data.login, data.password) == (name.encode(), password.encode())
            return AuthResult(success=fits, handled=fits)

        options = {
            "tls_context": context,
            "require_starttls": True,
            "auth_required": True,
            "authenticator": authenticate,
        }
    handler = Handler(folder)
    loop = asyncio.get_running_loop()
    server = await loop.create_server(
        lambda: SMTP(handler, hostname="localhost", **options), "127.0.0.1", int(port)
    )
    print(server.sockets[0].getsockname()[1], flush=True)
    await server.serve_forever()


asyncio.run(main())
