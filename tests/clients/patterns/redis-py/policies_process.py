"""Ten callers in a process of their own who all miss: prints how often they loaded, and what they got.

The loader waits until the list `answers` has something for it, so that everybody else finds the lock taken.
"""

import asyncio
import json

import policies

loads = 0


async def loader():
    global loads
    loads += 1
    await asyncio.to_thread(policies.redis_client.blpop, ["answers"], 0)
    return {"rate": 12}


async def main():
    callers = [policies.get_with_stampede_protection("hot", loader) for _ in range(10)]
    print(json.dumps({"values": await asyncio.gather(*callers), "loads": loads}))


asyncio.run(main())
