"""An S3 server for one test: moto, with the errors of AWS and with keys and signatures that are really checked.

Prints its URL, an access key, its secret and a bucket, in one line. Ends when its standard input does, so that it never
outlives who started it.
"""

import json
import os
import sys

# Creating the user, its rule, its key and the bucket; after these, moto asks everybody who they are.
os.environ["INITIAL_NO_AUTH_ACTION_COUNT"] = "4"

from datetime import datetime, timedelta, timezone  # noqa: E402
from urllib.parse import parse_qsl, quote, unquote, urlparse  # noqa: E402

import boto3  # noqa: E402
from botocore.auth import S3SigV4QueryAuth  # noqa: E402
from botocore.awsrequest import AWSRequest  # noqa: E402
from moto.core.authorization import ActionAuthenticatorMixin  # noqa: E402
from moto.iam.access_control import IAMRequestBase, S3IAMRequest  # noqa: E402
from moto.s3.exceptions import S3ClientError  # noqa: E402
from moto.server import ThreadedMotoServer  # noqa: E402


def canonical(text, also=""):
    return quote(unquote(text), safe="-_.~" + also)


# What is signed is a URL in its canonical form, however it was sent. moto takes it as it came; that is put right here.
def with_canonical_url(request):
    path, _, query = request.url.partition("?")
    pairs = [pair.partition("=") for pair in query.split("&") if pair]
    request.url = canonical(path, "/:") + "?" + "&".join(canonical(k) + "=" + canonical(v) for k, _, v in pairs)
    return request


as_it_came = IAMRequestBase._create_aws_request
IAMRequestBase._create_aws_request = lambda self: with_canonical_url(as_it_came(self))


# moto takes whatever has a signature in its query for signed. Here it is checked as AWS does: signature, time, and that
# there is no other one beside it.
class Presigned(S3IAMRequest):
    def __init__(self, query, **request):
        self._query = query
        self._signed_at = query["X-Amz-Date"]
        headers = dict(request.pop("headers").items())
        headers["Authorization"] = "Credential=%s, SignedHeaders=%s, Signature=%s" % (
            query["X-Amz-Credential"],
            query["X-Amz-SignedHeaders"],
            query["X-Amz-Signature"],
        )
        headers["X-Amz-Date"] = self._signed_at
        super().__init__(headers=headers, **request)

    def _create_auth(self, credentials):
        return S3SigV4QueryAuth(credentials, self._service, self._region)

    def _create_aws_request(self):
        path, _, query = self._path.partition("?")
        pairs = [pair.partition("=") for pair in query.split("&") if pair]
        signed = [(k, v) for k, _, v in pairs if unquote(k) != "X-Amz-Signature"]
        wanted = self._query["X-Amz-SignedHeaders"].split(";")
        request = AWSRequest(
            method=self._method,
            url=canonical(path, "/:") + "?" + "&".join(canonical(k) + "=" + canonical(v) for k, v in signed),
            headers=self._create_headers_for_aws_request(wanted, self._headers),
        )
        request.context["timestamp"] = self._signed_at
        return request


def check(self, kind, resource="*"):
    query = dict(parse_qsl(urlparse(self.uri).query, keep_blank_values=True))
    if "X-Amz-Signature" not in query:
        if "Authorization" not in self.headers:
            raise S3ClientError("AccessDenied", "Access Denied")
        return as_it_was(self, kind, resource)
    if "Authorization" in self.headers:
        raise S3ClientError("InvalidArgument", "Only one auth mechanism allowed")
    signed_at = datetime.strptime(query["X-Amz-Date"], "%Y%m%dT%H%M%SZ").replace(tzinfo=timezone.utc)
    if datetime.now(timezone.utc) > signed_at + timedelta(seconds=int(query["X-Amz-Expires"])):
        raise S3ClientError("AccessDenied", "Request has expired")
    parsed = urlparse(self.uri)
    request = Presigned(
        query,
        account_id=self.current_account,
        method=self.method,
        path=self.raw_path + "?" + parsed.query,
        data=self.data,
        body=self.raw_body,
        headers=self.headers,
        action=self._get_action(),
    )
    request.check_signature()
    request.check_action_permitted(resource)


as_it_was = ActionAuthenticatorMixin._authenticate_and_authorize_action
ActionAuthenticatorMixin._authenticate_and_authorize_action = check

server = ThreadedMotoServer("127.0.0.1", 0, verbose=False)
server.start()
url = "http://127.0.0.1:%d" % server.get_host_and_port()[1]


def client(service):
    return boto3.client(
        service,
        endpoint_url=url,
        region_name="us-east-1",
        aws_access_key_id="nobody",
        aws_secret_access_key="nothing",
    )


everything = {"Effect": "Allow", "Action": "s3:*", "Resource": "*"}
iam = client("iam")
iam.create_user(UserName="boxvault")
iam.put_user_policy(
    UserName="boxvault",
    PolicyName="everything",
    PolicyDocument=json.dumps({"Version": "2012-10-17", "Statement": [everything]}),
)
key = iam.create_access_key(UserName="boxvault")["AccessKey"]
client("s3").create_bucket(Bucket="boxes")

print(url, key["AccessKeyId"], key["SecretAccessKey"], "boxes", flush=True)
sys.stdin.read()
os._exit(0)
