#!/usr/bin/env bash
# An empty server in a temporary folder: set it up, publish a small real box, fetch it again, compare.
#
#   make demo
#
# Each command is printed before it runs. Fetches with vagrant where it is installed, else with curl. BOXVAULT_BIN names
# the program to use; otherwise it is built here. Leaves nothing behind.
set -euo pipefail
. "$(dirname "$0")/server.sh"

say 'The first platform admin. The one-time token is also in what the server printed.'
run 'SETUP=$(boxvault setup token)'
run 'curl --fail-with-body --silent --show-error --output /dev/null --json "{\"token\": \"$SETUP\", \"username\": \"alice\",
    \"email\": \"alice@example.com\", \"password\": \"correct horse battery\"}" $SERVER/api/setup'
run 'TOKEN=$(boxvault token create --user alice)'

say 'A box: an archive of metadata.json and a disk.'
run "printf '{\"provider\": \"virtualbox\"}' > metadata.json"
run 'head -c 2000000 /dev/urandom > disk.img'
run 'tar -czf debian.box metadata.json disk.img'

say 'Organization, box, version, provider, architecture; then the file, and the version is released.'
post() {
  curl --fail-with-body --silent --show-error --header "x-access-token: $TOKEN" --output /dev/null --json "$2" "$SERVER$1"
}
run 'BOX=/api/organization/acme/box/debian'
run "post /api/organization                        '{\"name\": \"acme\"}'"
run "post /api/organization/acme/box               '{\"name\": \"debian\", \"isPublic\": true}'"
run "post \$BOX/version                             '{\"versionNumber\": \"1.0.0\"}'"
run "post \$BOX/version/1.0.0/provider              '{\"name\": \"virtualbox\"}'"
run "post \$BOX/version/1.0.0/provider/virtualbox/architecture '{\"name\": \"amd64\"}'"
run 'curl --fail-with-body --silent --show-error --header "x-access-token: $TOKEN" --upload-file debian.box \
    $SERVER$BOX/version/1.0.0/provider/virtualbox/architecture/amd64/file/upload'
echo
run 'curl --fail-with-body --silent --show-error --header "x-access-token: $TOKEN" --request PUT --output /dev/null \
    $SERVER$BOX/version/1.0.0/release'

say 'Anybody can fetch it now, and gets the very bytes.'
run 'curl --fail-with-body --silent --show-error --output fetched.box \
    $SERVER/acme/boxes/debian/versions/1.0.0/providers/virtualbox/amd64/vagrant.box'
run 'cmp debian.box fetched.box && echo "the same bytes"'
if command -v vagrant >/dev/null 2>&1; then
  export VAGRANT_HOME=$work/vagrant VAGRANT_CHECKPOINT_DISABLE=1 VAGRANT_HOST_ARCHITECTURE=amd64
  unset VAGRANT_CLOUD_TOKEN ATLAS_TOKEN
  run 'export VAGRANT_SERVER_URL=$SERVER'
  run 'vagrant box add acme/debian --provider virtualbox'
  run 'vagrant box list'
  run 'cmp disk.img "$(find $VAGRANT_HOME/boxes -name disk.img)" && echo "the same disk"'
else
  printf '\nvagrant is not installed here; with it: VAGRANT_SERVER_URL=%s vagrant box add acme/debian\n' "$SERVER"
fi
say 'Published and fetched. The server and its folder are removed now.'
