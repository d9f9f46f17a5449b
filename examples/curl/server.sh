# Sourced by the scripts of this folder that show BoxVault on an empty server: starts one in a temporary folder, goes there,
# and sets SERVER to its address. Who needs another configuration defines a function `configure` before. Leaves nothing behind.
#
# BOXVAULT_BIN names the program to use; otherwise it is built here.
cd "$(dirname "${BASH_SOURCE[0]}")/../.."

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
    printf '\nit failed; the end of the server log:\n' >&2
    tail -n 20 "$work/server.log" >&2 || true
  fi
  rm -rf "$work"
  exit "$status"
}
trap finish EXIT
trap 'exit 130' INT TERM
cd "$work"

# say TEXT: what comes next.
say() {
  printf '\n%s\n' "$1"
}

# run LINE: prints a command as one would type it, and runs it.
run() {
  printf '\n\033[1m$ %s\033[0m\n' "$1"
  eval "$1"
}

printf '\nA server that knows nobody and has nothing, in %s\n' "$work"
export BOXVAULT_SERVER__HTTP_LISTEN=127.0.0.1:0 BOXVAULT_SERVER__HTTPS_LISTEN=127.0.0.1:0
if declare -F configure >/dev/null; then configure; fi
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

