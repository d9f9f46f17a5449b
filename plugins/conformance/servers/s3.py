"""An S3 server for one test: moto, with the errors of AWS and with keys and signatures that are really checked.

Prints its URL, an access key, its secret and a bucket, in one line. Ends when its standard input does, so that it never
outlives who started it.
"""

import json
import os
import sys

# Creating the user, its rule, its key and the bucket; after these, moto asks everybody who they are.
os.environ["INITIAL_NO_AUTH_ACTION_COUNT"] = "4"

from urllib.parse import quote, unquote  # noqa: E402

import boto3  # noqa: E402
from moto.iam.access_control import IAMRequestBase  # noqa: E402
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
