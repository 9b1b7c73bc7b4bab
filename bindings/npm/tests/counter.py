"""Counts with redis-py, guarded by its lock: counter.py <port> <workers> <rounds> <names>, begins at a line on its input."""

import sys
from threading import Thread

from redis import Redis

port, workers, rounds = map(int, sys.argv[1:4])
names = sys.argv[4:]


def work(redis, name):
    for _ in range(rounds):
        with redis.lock(f"mutex:{name}", timeout=60, sleep=0.003):
            value = int(redis.get(f"count:{name}") or 0)
            redis.set(f"count:{name}", value + 1)
            redis.rpush(f"turns:{name}", "redis-py")


# A thread that fails would not end the program with an error: what it did not count does that in the end.
clients = [(Redis(host="127.0.0.1", port=port), name) for name in names for _ in range(workers)]
threads = [Thread(target=work, args=client) for client in clients]
for client, _ in clients:
    client.ping()
print("ready", flush=True)
sys.stdin.readline()
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
