"""Counts with redis-py, guarded by its lock: counter.py <port> <workers> <rounds>, begins at a line on its input."""

import sys
from threading import Thread

from redis import Redis

port, workers, rounds = map(int, sys.argv[1:])


def work(redis):
    for _ in range(rounds):
        with redis.lock("mutex:counter", timeout=60, sleep=0.003):
            value = int(redis.get("count") or 0)
            redis.set("count", value + 1)
            redis.rpush("turns", "redis-py")


# A thread that fails would not end the program with an error: what it did not count does that in the end.
clients = [Redis(host="127.0.0.1", port=port) for _ in range(workers)]
threads = [Thread(target=work, args=[client]) for client in clients]
for client in clients:
    client.ping()
print("ready", flush=True)
sys.stdin.readline()
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
