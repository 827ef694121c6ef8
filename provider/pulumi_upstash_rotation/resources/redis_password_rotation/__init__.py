"""`RedisPasswordRotation`: resets the password of an Upstash Redis database."""
