#!/bin/sh
# redis: the same commands to a server with emma and to one without; then benchmark load, a snapshot by a forked child,
# a restart from it. The digest of all keys and values tells whether the data survived.
# shellcheck source=tests/programs/lib.sh
. "${0%/*}/lib.sh"
setup redis redis-server redis-tools

sockets=$(mktemp -d) # a socket's path must be short
start() { # NAME [RUNNER]: a server on a private socket; its process id becomes $server
    socket=$sockets/$1
    mkdir -p "$work/$1.data"
    server_name=$1
    shift
    "$@" redis-server --port 0 --unixsocket "$socket" --dir "$work/$server_name.data" --save '' --appendonly no \
        --daemonize no --enable-debug-command yes --loglevel warning >>"$server_name.log" 2>&1 &
    server=$!
    servers="$servers $server"
    wait_for answers
}
answers() {
    client PING | grep -qx PONG
}
client() {
    redis-cli -s "$socket" "$@"
}
reports() { # SECTION LINE
    client INFO "$1" | tr -d '\r' | grep -x "$2"
}
is_empty() {
    client DBSIZE | grep -x 0
}
digest() {
    client DEBUG DIGEST
}
stop() {
    client SHUTDOWN NOSAVE
    wait "$server"
}

make_commands() { # ROUNDS: strings, lists, hashes, sets and sorted sets that grow, shrink and change their encoding
    awk -v rounds="$1" 'BEGIN {
        for (i = 1; i <= rounds; i++) {
            value = sprintf("%*d", 1 + i * 7919 % 900, i)
            printf "SET s%d \"%s\"\nAPPEND s%d \"%s\"\n", i % 4001, value, i * 13 % 4001, value
            printf "RPUSH l%d %d \"%s\"\nLTRIM l%d -200 -1\n", i % 97, i, value, i % 97
            printf "HSET h%d f%d \"%s\"\nHDEL h%d f%d\n", i % 53, i % 700, value, i % 53, i * 3 % 700
            printf "SADD t%d m%d\nZADD z%d %d m%d\n", i % 31, i * 17 % 5000, i % 29, i % 1000, i % 3000
            if (i % 11 == 0) printf "DEL s%d\nZREMRANGEBYRANK z%d 0 3\n", i % 4001, i % 29
        }
    }'
}

make_commands "$(quick 30000 120000)" >commands
take_commands() {
    client --pipe <commands | tee pipe.log && grep -q 'errors: 0,' pipe.log
}

ok "server without emma starts" start plain
take_commands >/dev/null
digest >plain.digest
stop >/dev/null

ok "server with emma starts" start emma with_emma
ok "emma is mapped" maps_emma "$server"
ok "commands are taken" take_commands
digest >emma.digest
ok "same data" cmp plain.digest emma.digest
ok "data is there" grep -qv '^0*$' emma.digest

requests=$(quick 20000 100000)
ok "benchmark, pipelined" redis-benchmark -s "$socket" -q -n "$requests" -P 16 -c 20 -r 5000 -d 400 \
    -t set,get,lpush,lpop,sadd,hset,zadd,lrange_100,mset
ok "benchmark, many connections" redis-benchmark -s "$socket" -q -n "$requests" -c 200 -r 5000 -t set,get,lpush,lpop,zadd
digest >before.digest
ok "snapshot by a forked child" client SAVE
ok "background snapshot" client BGSAVE
ok "background snapshot ends" wait_for reports persistence rdb_bgsave_in_progress:0
ok "background snapshot succeeded" reports persistence rdb_last_bgsave_status:ok
ok "server ends well" stop

ok "server with emma starts again" start emma with_emma
ok "emma is mapped again" maps_emma "$server"
digest >after.digest
ok "data survived" cmp before.digest after.digest
client FLUSHALL ASYNC >/dev/null
ok "empty after FLUSHALL" is_empty
ok "server ends well again" stop
finish
