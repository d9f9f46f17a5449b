#!/usr/bin/env bash
# What an admin, a team and a pipeline do with the API, by curl alone, on an empty server in a temporary folder: sign up,
# confirm an address, make an organization, invite and accept, ask to join, publish as a service account, revoke it, reset
# a password, delete a box and bring it back.
#
#   examples/curl/tour.sh
#
# Each command is printed before it runs. BOXVAULT_BIN names the program to use; otherwise it is built here. Leaves
# nothing behind.
set -euo pipefail
examples=$(cd "$(dirname "$0")" && pwd)
configure() { run "printf '[auth]\nemail_verification_required = true\n' > config.toml"; }
. "$examples/server.sh"

# as TOKEN METHOD PATH [JSON]: asks for a path, and prints the answer. An empty token is nobody.
as() {
  local token=$1 method=$2 path=$3
  shift 3
  curl --fail-with-body --silent --show-error --request "$method" ${token:+--header "x-access-token: $token"} \
    ${1:+--header 'Content-Type: application/json' --data "$1"} "$SERVER$path"
}
# field NAME: the first text of that name in an answer.
field() { sed -n "s/.*\"$1\":\"\([^\"]*\)\".*/\1/p"; }
# refused STATUS TOKEN METHOD PATH: the answer has to be this one.
refused() {
  local status
  status=$(curl --silent --output answer.json --write-out '%{http_code}' --request "$3" \
    ${2:+--header "x-access-token: $2"} "$SERVER$4")
  sed 's/.*"error":{"code":"\([A-Z_]*\)".*/\1/' answer.json
  echo
  [ "$status" = "$1" ] || { echo "expected $1, and got $status" >&2; return 1; }
}
# link KIND ADDRESS: the token of the link in the newest message. Without a mail server messages are files.
link() {
  local tries=100
  until message=$(grep -ls "^To: $2" data/mail/*"-$1-"*.eml | tail -n 1) && [ -n "$message" ]; do
    tries=$((tries - 1)) && [ "$tries" -gt 0 ] || { echo "no message of $1 for $2" >&2; return 1; }
    sleep 0.1
  done
  sed -n 's/^http.*#token=\([a-z0-9_]*\).*/\1/p' "$message"
}

say 'The first platform admin.'
run 'as "" POST /api/setup "{\"token\": \"$(boxvault setup token)\", \"username\": \"alice\",
    \"email\": \"alice@example.com\", \"password\": \"correct horse battery\"}" >/dev/null'

say 'Bob signs up, and has to confirm his address before he can sign in.'
run 'as "" POST /api/auth/signup "{\"username\": \"bob\", \"email\": \"bob@example.com\",
    \"password\": \"tall green bottle\"}"'
echo
run 'as "" POST /api/auth/verify-email "{\"token\": \"$(link verify_email bob@example.com)\"}"'
echo
run 'BOB=$(as "" POST /api/auth/signin "{\"username\": \"bob\", \"password\": \"tall green bottle\"}" | field accessToken)'

say 'He makes an organization and a private box, and invites Carol.'
run 'as "$BOB" POST /api/organization "{\"name\": \"acme\"}" >/dev/null'
run 'as "$BOB" POST /api/organization/acme/box "{\"name\": \"debian\"}" >/dev/null'
run 'as "$BOB" POST /api/organization/acme/invitations "{\"email\": \"carol@example.com\"}"'
echo
run 'refused 404 "" GET /api/organization/acme/box/debian'
say 'The link proves her address, so that she is a member as soon as she has an account.'
run 'as "" POST /api/auth/signup "{\"username\": \"carol\", \"email\": \"carol@example.com\",
    \"password\": \"small blue kettle\", \"invitation\": \"$(link invitation carol@example.com)\"}" >/dev/null'
run 'CAROL=$(as "" POST /api/auth/signin "{\"username\": \"carol\", \"password\": \"small blue kettle\"}" |
    field accessToken)'
run 'as "$CAROL" GET /api/organization/acme/box/debian'
echo

say 'Dora asks to join, since acme takes requests now, and Bob lets her in.'
run 'as "$BOB" PUT /api/organization/acme "{\"accessMode\": \"request_to_join\"}" >/dev/null'
run 'as "" POST /api/auth/signup "{\"username\": \"dora\", \"email\": \"dora@example.com\",
    \"password\": \"seven green apples\"}" >/dev/null'
run 'as "" POST /api/auth/verify-email "{\"token\": \"$(link verify_email dora@example.com)\"}" >/dev/null'
run 'DORA=$(as "" POST /api/auth/signin "{\"username\": \"dora\", \"password\": \"seven green apples\"}" |
    field accessToken)'
run 'REQUEST=$(as "$DORA" POST /api/organization/acme/requests "{\"message\": \"I build images\"}" | field id)'
run 'as "$BOB" POST "/api/organization/acme/requests/$REQUEST/approve" "{\"role\": \"member\"}"'
echo
run 'as "$DORA" GET /api/organization/acme/box/debian >/dev/null'

say 'The pipeline is a service account of the organization that can do nothing but work on this one box.'
run 'PIPELINE=$(as "$BOB" POST /api/organization/acme/service-accounts "{\"name\": \"pipeline\", \"role\": \"admin\",
    \"box\": \"debian\", \"expiresInDays\": 30}" | field token)'
run "printf '{\"provider\": \"virtualbox\"}' > metadata.json && head -c 2000000 /dev/urandom > disk.img"
run 'tar -czf debian.box metadata.json disk.img'
run 'TOKEN=$PIPELINE "$examples/publish.sh" acme/debian 1.0.0 virtualbox amd64 debian.box'
run 'TOKEN=$CAROL "$examples/fetch.sh" acme/debian 1.0.0 virtualbox amd64 fetched.box && cmp debian.box fetched.box'

say 'Its token has leaked: from this moment on it opens nothing.'
run 'as "$BOB" DELETE /api/organization/acme/service-accounts/pipeline'
echo
run 'refused 401 "$PIPELINE" GET /api/organization/acme/box/debian'

say 'Carol has forgotten her password. The link works once, and her sessions have ended.'
run 'as "" POST /api/auth/forgot-password "{\"email\": \"carol@example.com\"}"'
echo
run 'LINK=$(link reset_password carol@example.com)'
run 'as "" POST /api/auth/reset-password "{\"token\": \"$LINK\", \"newPassword\": \"large white teapot\"}" >/dev/null'
run 'refused 401 "$CAROL" GET /api/user'
run 'CAROL=$(as "" POST /api/auth/signin "{\"username\": \"carol\", \"password\": \"large white teapot\"}" |
    field accessToken)'

say 'Bob deletes the box by mistake, and brings it back with its file.'
run 'as "$BOB" DELETE /api/organization/acme/box/debian'
echo
run 'refused 404 "$CAROL" GET /api/organization/acme/box/debian'
run 'as "$BOB" PUT /api/organization/acme/box/debian/restore >/dev/null'
run 'rm fetched.box && TOKEN=$CAROL "$examples/fetch.sh" acme/debian 1.0.0 virtualbox amd64 fetched.box'
run 'cmp debian.box fetched.box && echo "the same bytes"'
say 'That was the tour. The server and its folder are removed now.'
