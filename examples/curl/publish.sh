#!/bin/sh
# Publishes one file of a box, and releases the version. What exists already is kept.
#
#   SERVER=http://127.0.0.1:5000 TOKEN=… publish.sh ORGANIZATION/BOX VERSION PROVIDER ARCHITECTURE FILE
#
# PUBLIC=true makes a new box readable by everybody. RELEASE=false leaves the version unreleased, for instance until the
# files of other providers are there. Needs curl alone.
set -eu

if [ $# -ne 5 ] || [ -z "${SERVER:-}" ] || [ -z "${TOKEN:-}" ]; then
  sed -n '2,/^$/s/^# \{0,1\}//p' "$0" >&2
  exit 2
fi
organization=${1%%/*} box=${1#*/} version=$2 provider=$3 architecture=$4 file=$5

# The token is handed over by a file descriptor: arguments are visible to every user of the machine.
call() {
  printf 'header = "x-access-token: %s"\n' "$TOKEN" | curl --config - --silent --show-error "$@"
}

# create PATH JSON: 201 is new, 409 was there before.
create() {
  answer=$(call --write-out '\n%{http_code}' --json "$2" "$SERVER$1")
  case ${answer##*
} in
  201 | 409) ;;
  *) printf 'POST %s: %s\n' "$1" "$answer" >&2 && exit 1 ;;
  esac
}

boxes=/api/organization/$organization/box
versions=$boxes/$box/version
providers=$versions/$version/provider
architectures=$providers/$provider/architecture

create /api/organization "{\"name\": \"$organization\"}"
create "$boxes" "{\"name\": \"$box\", \"isPublic\": ${PUBLIC:-false}}"
create "$versions" "{\"versionNumber\": \"$version\"}"
create "$providers" "{\"name\": \"$provider\"}"
create "$architectures" "{\"name\": \"$architecture\"}"

# The server compares what it receives with this, and computes its own SHA-256 in any case.
checksum=$(sha256sum "$file") && checksum=${checksum%% *}
call --fail-with-body --upload-file "$file" \
  --header "x-checksum-type: sha256" --header "x-checksum: $checksum" \
  "$SERVER$architectures/$architecture/file/upload" >/dev/null
if [ "${RELEASE:-true}" = true ]; then
  call --fail-with-body --request PUT "$SERVER$versions/$version/release" >/dev/null
fi
echo "published $organization/$box $version for $provider on $architecture: sha256 $checksum"
