"""`RedisAclUser`: three resources. Token, user and retirement follow each other in each run."""
