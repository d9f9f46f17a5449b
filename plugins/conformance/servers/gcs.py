"""A server of Google Cloud Storage's kind for one test: gcp-storage-emulator, with tokens that are really checked.

Prints its URL, a bucket that holds nothing, and a file with what Google calls the configuration of a workload identity:
with it, a client gets its token from this server, too. Ends when its standard input does, so that it never outlives who
started it.
"""

import json
import os
import secrets
import sys
import tempfile
import threading
from http import HTTPStatus, server as http_server
from urllib.parse import parse_qs

from gcp_storage_emulator import server
from gcp_storage_emulator.exceptions import NotFound
from gcp_storage_emulator.handlers import objects

BUCKET = "boxes"
SUBJECT_TOKEN = secrets.token_hex()
ACCESS_TOKEN = secrets.token_hex()


def refuse(response, status, reason, message):
    response.status = status
    details = [{"domain": "global", "reason": reason, "message": message}]
    response.json({"error": {"code": status.value, "message": message, "errors": details}})


# Google's listings come in pages, and can begin in the middle. The emulator gives everything; that is put right here.
def list_page(request, response, storage, *args, **kwargs):
    every = objects_ls(request, response, storage, *args, **kwargs)
    if response.status != HTTPStatus.OK:
        return every
    answer = json.loads(response._content)
    first = {name: values[0] for name, values in request.query.items()}
    begin = max(first.get("startOffset", ""), first.get("pageToken", ""))
    most = int(first.get("maxResults", 1000))
    items = [item for item in answer["items"] if item["name"] >= begin]
    answer["items"] = items[:most]
    if len(items) > most:
        answer["nextPageToken"] = items[most]["name"]
    return response.json(answer)


# An upload that has nothing yet has no range.
def incomplete(response, storage, upload, *args, **kwargs):
    response.status = HTTPStatus.PERMANENT_REDIRECT
    received = storage.get_resumable_byte_count(upload)
    if received > 0:
        response["Range"] = f"bytes=0-{received - 1}"


objects._resumable_incomplete = incomplete


# An upload that is given up.
def give_up(request, response, storage, *args, **kwargs):
    try:
        storage.delete_resumable_file_obj(request.query["upload_id"][0])
        response.status = HTTPStatus.NO_CONTENT
    except NotFound:
        response.status = HTTPStatus.NOT_FOUND


# Where a workload identity gets its token.
def give_token(request, response, storage, *args, **kwargs):
    form = {name: values[0] for name, values in parse_qs((request.data or b"").decode()).items()}
    if form.get("subject_token") != SUBJECT_TOKEN:
        return refuse(response, HTTPStatus.UNAUTHORIZED, "invalid_grant", "The subject token is not valid.")
    token_type = "urn:ietf:params:oauth:token-type:access_token"
    return response.json(
        {"access_token": ACCESS_TOKEN, "issued_token_type": token_type, "token_type": "Bearer", "expires_in": 3600}
    )


one_at_a_time = threading.RLock()


# Everybody needs the token but who knows the address of an upload.
def checked(handler):
    def handle(request, response, storage, *args, **kwargs):
        if "upload_id" not in request.query and request.get_header("Authorization") != f"Bearer {ACCESS_TOKEN}":
            return refuse(response, HTTPStatus.UNAUTHORIZED, "authError", "Invalid Credentials")
        request.data  # it is kept; nobody waits for a client that is slow to send
        with one_at_a_time:
            handler(request, response, storage, *args, **kwargs)
        if response.status == HTTPStatus.NOT_FOUND and not response._content:
            known = request.params["bucket_name"] in storage.buckets
            message = "No such object" if known else "The specified bucket does not exist."
            refuse(response, response.status, "notFound", message)

    return handle


objects_ls = objects.ls
for _, handlers in server.HANDLERS:
    for method, handler in handlers.items():
        handlers[method] = checked(list_page if handler is objects_ls else handler)
    if server.PUT in handlers and server.POST in handlers:
        handlers[server.DELETE] = checked(give_up)
server.HANDLERS = ((r"^/token$", {server.POST: give_token}), *server.HANDLERS)
# A client that reads slowly is waited for by nobody else.
http_server.HTTPServer = http_server.ThreadingHTTPServer
http_server.HTTPServer.request_queue_size = 128

emulator = server.create_server("127.0.0.1", 0, in_memory=True, default_bucket=BUCKET)
emulator.start()
url = "http://127.0.0.1:%d" % emulator._api._httpd.server_address[1]

with tempfile.TemporaryDirectory() as folder:
    token_file = os.path.join(folder, "subject-token")
    with open(token_file, "w") as file:
        file.write(SUBJECT_TOKEN)
    credential_file = os.path.join(folder, "credential.json")
    with open(credential_file, "w") as file:
        json.dump(
            {
                "type": "external_account",
                "audience": "//iam.example.com/pools/boxvault",
                "subject_token_type": "urn:ietf:params:oauth:token-type:jwt",
                "token_url": url + "/token",
                "credential_source": {"file": token_file, "format": {"type": "text"}},
            },
            file,
        )
    print(url, BUCKET, credential_file, flush=True)
    sys.stdin.read()
os._exit(0)
