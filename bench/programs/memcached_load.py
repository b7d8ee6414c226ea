"""Loads memcached over its socket: several connections, pipelined sets, gets and deletes of values of many sizes.

usage: memcached_load.py SOCKET ROUNDS     (0 rounds: only whether it answers)
"""
import random
import socket
import sys


def connect(path):
    connection = socket.socket(socket.AF_UNIX)
    connection.connect(path)
    return connection


def talk(connection, request, ending):
    connection.sendall(request + b"version\r\n")
    answer = b""
    while b"VERSION" not in answer[-40:]:
        got = connection.recv(1 << 20)
        if not got:
            raise SystemExit("memcached closed the connection")
        answer += got
    if ending not in answer:
        raise SystemExit("memcached answered otherwise than expected")


def main(path, rounds):
    connections = [connect(path) for _ in range(8 if rounds else 1)]
    talk(connections[0], b"", b"VERSION")
    value = bytes(range(97, 123)) * 400
    dice = random.Random(1)
    for _ in range(rounds):
        for connection in connections:
            keys = [b"key%d" % dice.randrange(200000) for _ in range(200)]
            sizes = [dice.choice((16, 100, 300, 1000, 4000, 9000)) for _ in keys]
            sets = b"".join(b"set %s 0 0 %d\r\n%s\r\n" % (k, n, value[:n]) for k, n in zip(keys, sizes))
            talk(connection, sets, b"STORED")
            talk(connection, b"get " + b" ".join(keys[:100]) + b"\r\n", b"VALUE")
            talk(connection, b"".join(b"delete %s\r\n" % k for k in keys[:40]), b"DELETED")


main(sys.argv[1], int(sys.argv[2]))
