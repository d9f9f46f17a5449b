"""What schemathesis has to be told of this API: the chunks of a tus upload are bytes like any other."""

import schemathesis

schemathesis.serializer.alias("application/offset+octet-stream", "application/octet-stream")
