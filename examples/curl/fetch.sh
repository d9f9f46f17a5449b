#!/bin/sh
# Fetches one file of a box; goes on where an earlier try was cut; checks the digest.
#
#   SERVER=http://127.0.0.1:5000 fetch.sh ORGANIZATION/BOX VERSION PROVIDER ARCHITECTURE FILE
#
# TOKEN is needed for a private box. Needs curl alone.
set -eu

if [ $# -ne 5 ] || [ -z "${SERVER:-}" ]; then
  sed -n '2,/^$/s/^# \{0,1\}//p' "$0" >&2
  exit 2
fi
organization=${1%%/*} box=${1#*/} version=$2 provider=$3 architecture=$4 file=$5
path=/api/organization/$organization/box/$box/version/$version/provider/$provider/architecture/$architecture/file

call() {
  { [ -z "${TOKEN:-}" ] || printf 'header = "x-access-token: %s"\n' "$TOKEN"; } |
    curl --config - --fail-with-body --silent --show-error --location "$@"
}

# field NAME: a plain value of the answer in $info.
field() {
  printf '%s' "$info" | tr ',{}' '\n\n\n' | sed -n "s/^ *\"$1\": *\"\{0,1\}\([^\"]*\)\"\{0,1\} *$/\1/p" | head -n 1
}

info=$(call "$SERVER$path/info")
checksum=$(field checksum) size=$(field fileSize)

# A part that is as long as the file is complete, and asking for more of it is an error.
part=$file.part
have=0 && [ ! -e "$part" ] || have=$(wc -c <"$part")
if [ "$have" -lt "$size" ]; then
  call --retry 5 --continue-at - --output "$part" "$SERVER$path/download"
fi
echo "$checksum  $part" | sha256sum --check --quiet || {
  echo "$part is not the file that the server has; remove it and try again" >&2
  exit 1
}
mv "$part" "$file"
echo "fetched $file: sha256 $checksum"
