#!/usr/bin/env bash
# An empty server in a temporary folder: set it up, publish a small real box, fetch it again, compare.
#
#   make demo
#
# Each command is printed before it runs. Fetches with vagrant where it is installed, else with curl. BOXVAULT_BIN names
# the program to use; otherwise it is built here. Leaves nothing behind.
set -euo pipefail
cd "$(dirname "$0")/../.."

# The program of `make run` where there is one, so that nothing is built twice.
if [ -z "${BOXVAULT_BIN:-}" ]; then
  target=${CARGO_TARGET_DIR:-target}
  profile=dev folder=debug
  [ -x "$target/release/boxvault" ] && profile=release folder=release
  echo "building the server ($profile profile) …"
  cargo build --quiet --locked --profile "$profile"
  BOXVAULT_BIN=$target/$folder/boxvault
fi
boxvault() { BOXVAULT_LOG__FILTER=warn "$program" "$@"; }
program=$(realpath "$BOXVAULT_BIN")
# What configures other servers must not configure this one.
for variable in $(compgen -e | grep '^BOXVAULT_' || true); do unset "$variable"; done

work=$(mktemp -d)
server=
finish() {
  status=$?
  if [ -n "$server" ]; then
    kill "$server" 2>/dev/null && wait "$server" 2>/dev/null || true
  fi
  if [ "$status" -ne 0 ]; then
    printf '\nthe demo failed; the end of the server log:\n' >&2
    tail -n 20 "$work/server.log" >&2 || true
  fi
  rm -rf "$work"
  exit "$status"
}
trap finish EXIT
trap 'exit 130' INT TERM
cd "$work"

# run LINE: prints a command as one would type it, and runs it.
run() {
  printf '\n\033[1m$ %s\033[0m\n' "$1"
  eval "$1"
}

printf '\nA server that knows nobody and has nothing, in %s\n' "$work"
export BOXVAULT_SERVER__HTTP_LISTEN=127.0.0.1:0 BOXVAULT_SERVER__HTTPS_LISTEN=127.0.0.1:0
printf '\n\033[1m$ boxvault &\033[0m\n'
"$program" >server.log 2>&1 &
server=$!
tries=600
until [ -s data/run/addresses.json ]; do
  kill -0 "$server" 2>/dev/null || exit 1
  tries=$((tries - 1)) && [ "$tries" -gt 0 ] || { echo "the server did not start within a minute" >&2; exit 1; }
  sleep 0.1
done
export SERVER
SERVER=http://$(sed 's/.*"http": *"\([^"]*\)".*/\1/' data/run/addresses.json)
run "SERVER=$SERVER"

printf '\nThe first platform admin. The one-time token is also in what the server printed.\n'
run 'SETUP=$(boxvault setup token)'
run 'curl --fail-with-body --silent --show-error --output /dev/null --json "{\"token\": \"$SETUP\", \"username\": \"alice\",
    \"email\": \"alice@example.com\", \"password\": \"correct horse battery\"}" $SERVER/api/setup'
run 'TOKEN=$(boxvault token create --user alice)'

printf '\nA box: an archive of metadata.json and a disk.\n'
run "printf '{\"provider\": \"virtualbox\"}' > metadata.json"
run 'head -c 2000000 /dev/urandom > disk.img'
run 'tar -czf debian.box metadata.json disk.img'

printf '\nOrganization, box, version, provider, architecture; then the file, and the version is released.\n'
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

printf '\nAnybody can fetch it now, and gets the very bytes.\n'
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
printf '\nPublished and fetched. The server and its folder are removed now.\n'
