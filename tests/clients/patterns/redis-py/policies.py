"""Ways to keep customers and policies of an insurance in a cache in front of the systems that own them."""

import asyncio
import hashlib
import json
import os

import redis
from cachetools import TTLCache

redis_client = redis.Redis.from_url(os.environ["REDIS_URL"])


class ServiceUnavailable(Exception):
    pass


class Source:
    """A system that owns records, and counts how often it is asked."""

    def __init__(self):
        self.forget()

    def forget(self):
        self.records, self.reads, self.published = {}, 0, []

    async def get(self, key):
        self.reads += 1
        await asyncio.sleep(0)
        return self.records[key]

    async def update(self, key, data):
        self.records[key] = {**self.records.get(key, {}), **data}
        return self.records[key]

    async def publish(self, queue, message):
        self.published.append((queue, message))


policy_admin, customer_hub, message_queue = Source(), Source(), Source()


async def get_policy(policy_number: str) -> dict:
    cached = redis_client.get(f"policy:{policy_number}")
    if cached:
        return json.loads(cached)

    policy = await policy_admin.get(policy_number)

    redis_client.setex(f"policy:{policy_number}", 300, json.dumps(policy))

    return policy


async def update_customer(customer_id: str, data: dict):
    updated = await customer_hub.update(customer_id, data)

    redis_client.setex(f"customer:{customer_id}", 300, json.dumps(updated))

    return updated


async def update_customer_async(customer_id: str, data: dict):
    redis_client.setex(f"customer:{customer_id}", 300, json.dumps(data))

    await message_queue.publish("customer_updates", {"customer_id": customer_id, "data": data})


async def get_with_cache_aside(key: str, loader):
    cached = redis_client.get(key)
    if cached:
        return json.loads(cached)

    value = await loader()

    redis_client.setex(key, 300, json.dumps(value))

    return value


async def update_policy(policy_number: str, data: dict):
    updated = await policy_admin.update(policy_number, data)

    redis_client.delete(f"policy:{policy_number}")

    redis_client.delete(f"customer:{updated['customer_id']}:policies")

    return updated


async def get_with_stampede_protection(key: str, loader, ttl: int = 300):
    cached = redis_client.get(key)
    if cached:
        return json.loads(cached)

    lock_key = f"lock:{key}"
    acquired = redis_client.setnx(lock_key, "1")

    if acquired:
        redis_client.expire(lock_key, 10)
        try:
            value = await loader()
            redis_client.setex(key, ttl, json.dumps(value))
            return value
        finally:
            redis_client.delete(lock_key)
    else:
        await asyncio.sleep(0.1)
        return await get_with_stampede_protection(key, loader, ttl)


class MultiLevelCache:
    def __init__(self):
        self.local = TTLCache(maxsize=100, ttl=60)
        self.redis = redis_client

    async def get(self, key: str, loader):
        if key in self.local:
            return self.local[key]

        cached = self.redis.get(key)
        if cached:
            value = json.loads(cached)
            self.local[key] = value
            return value

        value = await loader()
        self.local[key] = value
        self.redis.setex(key, 300, json.dumps(value))
        return value


class RatingCache:
    """Rates of a service that is slow and may be away; then an older rate is better than none."""

    def __init__(self, redis_client, external_rating):
        self.redis = redis_client
        self.rating_service = external_rating
        self.ttl = 900

    async def get_rate(self, product: str, risk_profile: dict) -> dict:
        cache_key = f"rate:{product}:{self._hash_profile(risk_profile)}"

        cached = self.redis.get(cache_key)
        if cached:
            return json.loads(cached)

        try:
            rate = await self.rating_service.get_rate(product, risk_profile)
            self.redis.setex(cache_key, self.ttl, json.dumps(rate))
            return rate
        except ServiceUnavailable:
            stale = self.redis.get(f"stale:{cache_key}")
            if stale:
                return json.loads(stale)
            raise

    def _hash_profile(self, profile: dict) -> str:
        return hashlib.md5(json.dumps(profile, sort_keys=True).encode()).hexdigest()[:12]
