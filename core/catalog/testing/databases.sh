#!/bin/sh
# Real database servers for the catalog's tests: PostgreSQL and MariaDB on loopback, in a folder of their own.
#
#   databases.sh start    starts what is installed, prints BOXVAULT_TEST_…_URL lines; they live two hours at most
#   databases.sh ensure   the same, for a test: starts only what does not run, and lets it live two minutes more
#   databases.sh stop     stops them and removes the folder
#
# In a shell or CI:  eval "$(core/catalog/testing/databases.sh start)"; …; core/catalog/testing/databases.sh stop
# A server that is not installed gives one line "SKIPPED catalog on …" on standard error. Data is not synced to disk:
# these servers are for tests only.
set -eu

# in memory where there is room: making the tables of a test takes MariaDB ten times as long on a disk
base=${TMPDIR:-/tmp}
if [ -w /dev/shm ] && [ "$(df -Pm /dev/shm | awk 'NR == 2 { print $4 }')" -ge 4096 ]; then base=/dev/shm; fi
root=${BOXVAULT_TEST_DATABASES_DIR:-$base/boxvault-test-databases-$(id -u)}
lease=$root/lease
urls=$root/urls

postgres_bin() {
    for folder in $(ls -d /usr/lib/postgresql/*/bin 2>/dev/null | sort -rV) /usr/local/pgsql/bin; do
        if [ -x "$folder/initdb" ]; then echo "$folder"; return; fi
    done
    if command -v initdb >/dev/null 2>&1; then dirname "$(command -v initdb)"; fi
}

# both servers refuse to run as root, so root runs them as somebody else
user_of() {
    if [ "$(id -u)" -ne 0 ]; then id -un; return; fi
    if id "$1" >/dev/null 2>&1; then echo "$1"; else echo nobody; fi
}

as() {
    user=$1; shift
    if [ "$(id -u)" -ne 0 ]; then "$@"; return; fi
    setpriv --reuid "$user" --regid "$(id -g "$user")" --clear-groups -- "$@"
}

secret() { od -An -N16 -tx1 /dev/urandom | tr -d ' \n'; }

# /dev/tcp is bash's own; when nothing can be opened there, nobody listens
listens() { bash -c "exec 3<>/dev/tcp/127.0.0.1/$1" 2>/dev/null; }

free_port() {
    for _ in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16; do
        port=$((20000 + 0x$(od -An -N2 -tx1 /dev/urandom | tr -d ' \n') % 12000))
        if ! listens "$port"; then echo "$port"; return; fi
    done
    echo "no free port between 20000 and 32000" >&2
    return 1
}

start_postgres() {
    bin=$(postgres_bin)
    if [ -z "$bin" ]; then
        echo "SKIPPED catalog on PostgreSQL: no initdb; install the package postgresql" >&2
        return
    fi
    user=$(user_of postgres); folder=$root/postgresql; password=$(secret); port=$(free_port)
    mkdir -p "$folder"
    printf '%s' "$password" > "$folder.password"
    if [ "$(id -u)" -eq 0 ]; then chown "$user" "$folder" "$folder.password"; fi
    as "$user" "$bin/initdb" -D "$folder/data" -U boxvault --auth=scram-sha-256 \
        --pwfile="$folder.password" --encoding=UTF8 --locale=C.UTF-8 --no-sync > "$root/postgresql.initdb.log" 2>&1 \
        || { failed PostgreSQL "$root/postgresql.initdb.log"; return; }
    as "$user" "$bin/pg_ctl" -D "$folder/data" -l "$folder/log.err" -w -t 60 -o "-F -p $port \
        -c listen_addresses=127.0.0.1 -c unix_socket_directories= -c max_connections=300 -c shared_buffers=64MB" \
        start > "$root/postgresql.start.log" 2>&1 < /dev/null \
        || { failed PostgreSQL "$folder/log.err"; return; }
    echo "BOXVAULT_TEST_POSTGRESQL_URL=postgres://boxvault:$password@127.0.0.1:$port/postgres" >> "$urls"
}

start_mariadb() {
    server=$(command -v mariadbd || command -v mysqld || true)
    if [ -z "$server" ] && [ -x /usr/sbin/mariadbd ]; then server=/usr/sbin/mariadbd; fi
    install=$(command -v mariadb-install-db || command -v mysql_install_db || true)
    if [ -z "$server" ] || [ -z "$install" ]; then
        echo "SKIPPED catalog on MariaDB: no mariadbd; install the package mariadb-server" >&2
        return
    fi
    user=$(user_of mysql); folder=$root/mariadb; password=$(secret); port=$(free_port)
    mkdir -p "$folder"
    printf '%s\n' "CREATE USER boxvault@'127.0.0.1' IDENTIFIED BY '$password';" \
        "GRANT ALL ON *.* TO boxvault@'127.0.0.1';" > "$folder/init.sql"
    if [ "$(id -u)" -eq 0 ]; then chown -R "$user" "$folder"; fi
    "$install" --no-defaults --user="$user" --datadir="$folder/data" --skip-test-db \
        --auth-root-authentication-method=socket --auth-root-socket-user="$user" > "$root/mariadb.install.log" 2>&1 \
        || { failed MariaDB "$root/mariadb.install.log"; return; }
    as "$user" setsid "$server" --no-defaults --datadir="$folder/data" --port="$port" --bind-address=127.0.0.1 \
        --skip-networking=0 --skip-name-resolve --socket="$folder/socket" --pid-file="$folder/pid" \
        --init-file="$folder/init.sql" --log-error="$folder/log.err" --skip-log-bin --max-connections=300 \
        --innodb-flush-log-at-trx-commit=0 --innodb-buffer-pool-size=64M --innodb-file-per-table=0 \
        --innodb-doublewrite=0 --performance-schema=0 > /dev/null 2>&1 < /dev/null &
    waited=0
    until grep -q "ready for connections" "$folder/log.err" 2>/dev/null; do
        waited=$((waited + 1))
        if [ "$waited" -gt 300 ]; then failed MariaDB "$folder/log.err"; return; fi
        sleep 0.2
    done
    echo "BOXVAULT_TEST_MARIADB_URL=mysql://boxvault:$password@127.0.0.1:$port/mysql" >> "$urls"
}

failed() {
    echo "SKIPPED catalog on $1: it is installed but did not start; its last words:" >&2
    tail -n 5 "$2" >&2 || true
}

# stops the servers once nobody has asked for them in time
watch() {
    while [ -e "$lease" ]; do sleep 2; locked expire; done
}

# asked under the lock, so that nobody renews in between
expire() { if [ -e "$lease" ] && [ "$(date +%s)" -ge "$(stat -c %Y "$lease")" ]; then stop; fi; }

renew() {
    until=$(($(date +%s) + $1))
    if [ ! -e "$lease" ] || [ "$(stat -c %Y "$lease")" -lt "$until" ]; then touch -d "@$until" "$lease"; fi
}

# Whatever ended them may have left the folder as it was: a lease says until when they may live, not that they do.
running() {
    [ -e "$lease" ] && [ -e "$urls.complete" ] || return 1
    for port in $(sed -n 's|^BOXVAULT.*@127\.0\.0\.1:\([0-9]*\)/.*|\1|p' "$urls"); do
        listens "$port" || return 1
    done
}

ensure() {
    if ! running; then
        stop
        mkdir -p "$root"
        chmod 755 "$root"
        (umask 077; : > "$urls")
        start_postgres
        start_mariadb
        touch "$urls.complete"
        renew "$1"
        setsid "$0" --watch > /dev/null 2>&1 < /dev/null &
    fi
    renew "$1"
    cat "$urls"
}

# whether the process of this file is a server of this folder: its number may be another's by now
ours() { [ -e "$1" ] && ps -p "$(head -n 1 "$1")" -o args= 2>/dev/null | grep -qF -- "$root"; }

stop() {
    rm -f "$lease"
    if ours "$root/postgresql/data/postmaster.pid"; then
        as "$(user_of postgres)" "$(postgres_bin)/pg_ctl" -D "$root/postgresql/data" -m immediate -w stop \
            > /dev/null 2>&1 || true
    fi
    if ours "$root/mariadb/pid"; then
        pid=$(cat "$root/mariadb/pid")
        kill -9 "$pid" 2>/dev/null || true
        while kill -0 "$pid" 2>/dev/null; do sleep 0.1; done
    fi
    rm -rf "$root"
}

# one at a time; -o keeps the lock out of the servers, which would hold it as long as they live
locked() { flock -o -w 300 "$root.lock" "$0" "--$1"; }

case "${1:-}" in
    start | ensure | stop) locked "$1" ;;
    --start) ensure 7200 ;;
    --ensure) ensure 120 ;;
    --stop) stop ;;
    --expire) expire ;;
    --watch) watch ;;
    *) sed -n '2,6p' "$0" >&2; exit 2 ;;
esac
