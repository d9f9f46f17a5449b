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

# make COLLECTION NAME JSON: makes what is not there. 409: somebody else has made it since.
make() {
  exists "$1/$2" && return
  answer=$(call --write-out '\n%{http_code}' --json "$3" "$SERVER$1")
  case ${answer##*
} in
  201 | 409) ;;
  *) printf 'POST %s: %s\n' "$1" "$answer" >&2 && exit 1 ;;
  esac
}
exists() {
  [ "$(call --output /dev/null --write-out '%{http_code}' "$SERVER$1")" = 200 ]
}

organizations=/api/organization
boxes=$organizations/$organization/box
versions=$boxes/$box/version
providers=$versions/$version/provider
architectures=$providers/$provider/architecture

# A token that is good for one box alone cannot see its organization.
exists "$boxes/$box" || make "$organizations" "$organization" "{\"name\": \"$organization\"}"
make "$boxes" "$box" "{\"name\": \"$box\", \"isPublic\": ${PUBLIC:-false}}"
make "$versions" "$version" "{\"versionNumber\": \"$version\"}"
make "$providers" "$provider" "{\"name\": \"$provider\"}"
make "$architectures" "$architecture" "{\"name\": \"$architecture\"}"

# The server compares what it receives with this, and computes its own SHA-256 in any case.
checksum=$(sha256sum "$file") && checksum=${checksum%% *}
call --fail-with-body --upload-file "$file" \
  --header "x-checksum-type: sha256" --header "x-checksum: $checksum" \
  "$SERVER$architectures/$architecture/file/upload" >/dev/null
if [ "${RELEASE:-true}" = true ]; then
  call --fail-with-body --request PUT "$SERVER$versions/$version/release" >/dev/null
fi
echo "published $organization/$box $version for $provider on $architecture: sha256 $checksum"
