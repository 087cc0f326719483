"""An agent of the usual shape in Python: psutil every 2 s, differences to a WebSocket. psutil_agent.py GAME

Debian packages: python3-psutil, python3-websockets. Written for the bench; prints its port.
`psutil_agent.py --scan N` prints what one scan costs instead: CPU and wall ms, the mean of N.
"""

import asyncio
import json
import signal
import sys
import time

import psutil

INTERVAL_S = 2


def scan(game):
    """The pids that run under the game's name."""
    found = set()
    for process in psutil.process_iter(["pid", "name", "exe"]):
        if process.info["name"] == game:
            found.add(process.info["pid"])
    return found


async def watch(game, clients):
    playing = set()
    while True:
        now = scan(game)
        for kind, pids in (("start", now - playing), ("stop", playing - now)):
            for pid in pids:
                for client in list(clients):
                    try:
                        await client.send(json.dumps({"kind": kind, "pid": pid}))
                    except Exception:
                        clients.discard(client)
        playing = now
        await asyncio.sleep(INTERVAL_S)


async def serve(game):
    import websockets

    clients = set()

    async def handle(client, *_):
        clients.add(client)
        await client.wait_closed()
        clients.discard(client)

    async with websockets.serve(handle, "127.0.0.1", 0) as server:
        print(server.sockets[0].getsockname()[1], flush=True)
        asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, lambda: sys.exit(0))
        await watch(game, clients)


def cost(rounds):
    scan("nothing")
    cpu, wall = time.process_time(), time.perf_counter()
    for _ in range(rounds):
        scan("nothing")
    print(
        (time.process_time() - cpu) * 1000 / rounds,
        (time.perf_counter() - wall) * 1000 / rounds,
    )


if sys.argv[1] == "--scan":
    cost(int(sys.argv[2]))
else:
    asyncio.run(serve(sys.argv[1]))
