# Helpers of .ci/run; sourced, not run.

STEPS_LOG=$(mktemp)      # one line per step: seconds, name
SUMMARY_LOG=$(mktemp)    # the test runner's summary lines

# Runs when the script ends, however it ends.
cleanup() {
  local status=$?
  rm -f "$STEPS_LOG" "$SUMMARY_LOG"
  core/catalog/testing/databases.sh stop >/dev/null 2>&1 || true
  return "$status"
}
trap cleanup EXIT
trap 'exit 130' INT TERM

# step NAME COMMAND…: runs the command without standard input, and notes its time; a failure ends the run.
step() {
  local name=$1 started=$SECONDS log status=0
  shift
  printf '\n=== %s\n' "$name"
  log=$(mktemp)
  set +e
  (set -e; "$@") </dev/null 2>&1 | tee "$log"
  status=${PIPESTATUS[0]}
  set -e
  # Not the crates without documentation tests: they would close the log with "0 passed".
  grep -E '^ *Summary \[|^test result: ' "$log" | grep -v ' 0 passed; 0 failed' >>"$SUMMARY_LOG" || true
  rm -f "$log"
  printf '%5d s  %s\n' "$((SECONDS - started))" "$name" >>"$STEPS_LOG"
  if [ "$status" -ne 0 ]; then
    printf '\n=== FAILED: %s (exit status %d)\n' "$name" "$status" >&2
    closing >&2
    exit "$status"
  fi
}

# The times, then the test runner's own words.
closing() {
  printf '\n=== times\n'
  cat "$STEPS_LOG"
  printf '%5d s  in all\n\n' "$SECONDS"
  cat "$SUMMARY_LOG"
}

# Debian packages for the tools and servers that the checks start. Nothing is installed that is there already.
PACKAGES="ansible-core apache2-bin ca-certificates chromium curl docker-registry gcc libarchive-tools libc6-dev make
  mariadb-server nginx openssh-client openssh-server openssl packer postgresql python3-aiosmtpd python3-venv python3-yaml slapd
  vagrant wrk xz-utils zstd"

install_packages() {
  local missing=() package packages=$PACKAGES
  # Node from elsewhere brings its own npm, and Debian's package conflicts with it.
  command -v node >/dev/null && command -v npm >/dev/null || packages+=" nodejs npm"
  for package in $packages; do
    dpkg-query -W -f '${Status}' "$package" 2>/dev/null | grep -q 'ok installed' || missing+=("$package")
  done
  if [ "${#missing[@]}" -eq 0 ]; then
    echo "all packages are installed"
  else
    echo "installing: ${missing[*]}"
    apt-get update -q
    # The tests start their own servers on free ports; those of the packages would only take memory.
    local refuse_to_start=/usr/sbin/policy-rc.d
    [ -e "$refuse_to_start" ] && refuse_to_start=$(mktemp)
    printf '#!/bin/sh\nexit 101\n' >"$refuse_to_start"
    chmod 755 "$refuse_to_start"
    local status=0
    apt-get install -q -y --no-install-recommends "${missing[@]}" || status=$?
    rm -f "$refuse_to_start"
    [ "$status" -eq 0 ] || return "$status"
  fi
  newer_node
  rustup component add rustfmt clippy >/dev/null 2>&1 || true
  cargo fmt --version
  cargo clippy --version
}

# The interface needs Node 20.19. Debian 12 has 18: a later one comes as an npm package.
newer_node() {
  local folder machine=x64
  folder=${BOXVAULT_CACHE:-$HOME/.cache/boxvault}/node
  node -e 'const [a, b] = process.versions.node.split("."); process.exit(a > 20 || (a == 20 && b >= 19) ? 0 : 1)' && return
  [ "$(uname -m)" = aarch64 ] && machine=arm64
  npm install --silent --no-save --no-audit --no-fund --ignore-scripts --prefix "$folder" "node-linux-$machine@22"
  ln -sf "$folder/node_modules/node-linux-$machine/bin/node" /usr/local/bin/node
  hash -r # the shell remembers where the old one was
  node --version
}
