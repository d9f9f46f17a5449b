"""A server of Google Cloud Storage's kind for one test: gcp-storage-emulator, with tokens and signatures that are really
checked.

Prints its URL, a bucket that holds nothing, a file with what Google calls the configuration of a workload identity, and
one with the key of a service account: with either, a client gets its token from this server, too. Ends when its standard
input does, so that it never outlives who started it.
"""

import base64
import hashlib
import json
import os
import secrets
import sys
import tempfile
import threading
from datetime import datetime, timedelta, timezone
from http import HTTPStatus, server as http_server
from urllib.parse import parse_qs, parse_qsl, quote, unquote

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from gcp_storage_emulator import server
from gcp_storage_emulator.exceptions import NotFound
from gcp_storage_emulator.handlers import objects

BUCKET = "boxes"
SUBJECT_TOKEN = secrets.token_hex()
ACCESS_TOKEN = secrets.token_hex()
ACCOUNT = "boxvault@example.iam.gserviceaccount.com"
KEY = rsa.generate_private_key(public_exponent=65537, key_size=2048)
GRANT = "urn:ietf:params:oauth:grant-type:jwt-bearer"


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


def is_signed(signature, text):
    try:
        KEY.public_key().verify(signature, text, padding.PKCS1v15(), hashes.SHA256())
        return True
    except InvalidSignature:
        return False


def decoded(text):
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


# Whether this is a statement of the service account that Google would give a token for.
def is_statement(text):
    head, claims, signature = text.split(".")
    if not is_signed(decoded(signature), f"{head}.{claims}".encode()) or json.loads(decoded(head))["alg"] != "RS256":
        return False
    claims, now = json.loads(decoded(claims)), datetime.now(timezone.utc).timestamp()
    in_time = claims["iat"] - 60 <= now < claims["exp"] <= claims["iat"] + 3600
    return in_time and claims["iss"] == ACCOUNT and claims["aud"] == url + "/token" and claims["scope"]


# Where a workload identity and a service account get their tokens.
def give_token(request, response, storage, *args, **kwargs):
    form = {name: values[0] for name, values in parse_qs((request.data or b"").decode()).items()}
    if form.get("grant_type") == GRANT:
        if not is_statement(form["assertion"]):
            return refuse(response, HTTPStatus.BAD_REQUEST, "invalid_grant", "Invalid JWT Signature.")
    elif form.get("subject_token") != SUBJECT_TOKEN:
        return refuse(response, HTTPStatus.UNAUTHORIZED, "invalid_grant", "The subject token is not valid.")
    token_type = "urn:ietf:params:oauth:token-type:access_token"
    return response.json(
        {"access_token": ACCESS_TOKEN, "issued_token_type": token_type, "token_type": "Bearer", "expires_in": 3600}
    )


# Whether an address is signed for this request, and its time not over. Source: "V4 signing process with your own program".
def is_granted(request):
    pairs = parse_qsl(request._parsed_url.query, keep_blank_values=True)
    query = dict(pairs)
    signed_at = datetime.strptime(query["X-Goog-Date"], "%Y%m%dT%H%M%SZ").replace(tzinfo=timezone.utc)
    if datetime.now(timezone.utc) > signed_at + timedelta(seconds=int(query["X-Goog-Expires"])):
        return False
    account, _, scope = query["X-Goog-Credential"].partition("/")
    if account != ACCOUNT or scope != signed_at.strftime("%Y%m%d") + "/auto/storage/goog4_request":
        return False
    names = query["X-Goog-SignedHeaders"].split(";")
    canonical = [
        request.method,
        quote(unquote(request.path), safe="-_.~/"),
        "&".join(
            sorted(quote(k, safe="-_.~") + "=" + quote(v, safe="-_.~") for k, v in pairs if k != "X-Goog-Signature")
        ),
        *(f"{name}:{' '.join(request.get_header(name, '').split())}" for name in names),
        "",
        query["X-Goog-SignedHeaders"],
        "UNSIGNED-PAYLOAD",
    ]
    digest = hashlib.sha256("\n".join(canonical).encode()).hexdigest()
    text = "\n".join([query["X-Goog-Algorithm"], query["X-Goog-Date"], scope, digest])
    return "host" in names and is_signed(bytes.fromhex(query["X-Goog-Signature"]), text.encode())


one_at_a_time = threading.RLock()


# Everybody needs the token but who knows the address of an upload, or has one that is signed.
def checked(handler):
    def handle(request, response, storage, *args, **kwargs):
        if "X-Goog-Signature" in request.query:
            if not is_granted(request):
                return refuse(response, HTTPStatus.FORBIDDEN, "SignatureDoesNotMatch", "Access denied.")
        elif "upload_id" not in request.query and request.get_header("Authorization") != f"Bearer {ACCESS_TOKEN}":
            return refuse(response, HTTPStatus.UNAUTHORIZED, "authError", "Invalid Credentials")
        request.data  # it is kept; nobody waits for a client that is slow to send
        with one_at_a_time:
            handler(request, response, storage, *args, **kwargs)
        # the emulator knows the one for the disposition only
        kind = request.query.get("response-content-type")
        if kind and handler is objects.download and response.status in (HTTPStatus.OK, HTTPStatus.PARTIAL_CONTENT):
            response["Content-type"] = kind[0]
        if response.status == HTTPStatus.NOT_FOUND and not response._content:
            known = request.params["bucket_name"] in storage.buckets
            message = "No such object" if known else "The specified bucket does not exist."
            refuse(response, response.status, "notFound", message)

    return handle


# What was put together says how long it is in the way of all others.
def compose(request, response, storage, *args, **kwargs):
    as_it_is = objects._make_object_resource
    objects._make_object_resource = lambda base, bucket, name, kind, size, *more: as_it_is(
        base, bucket, name, kind, str(size), *more
    )
    try:
        objects_compose(request, response, storage, *args, **kwargs)
    finally:
        objects._make_object_resource = as_it_is


objects_ls, objects_compose = objects.ls, objects.compose
for _, handlers in server.HANDLERS:
    if objects.xml_upload in handlers.values():
        handlers[server.DELETE] = objects.delete
    for method, handler in handlers.items():
        mended = {objects_ls: list_page, objects_compose: compose}
        handlers[method] = checked(mended.get(handler, handler))
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
    account_file = os.path.join(folder, "account.json")
    with open(account_file, "w") as file:
        pem = KEY.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
        key = {"type": "service_account", "client_email": ACCOUNT, "private_key": pem.decode()}
        json.dump({**key, "token_uri": url + "/token"}, file)
    print(url, BUCKET, credential_file, account_file, flush=True)
    sys.stdin.read()
os._exit(0)
