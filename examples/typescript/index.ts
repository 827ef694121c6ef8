// Rotates the password of one Upstash Redis database whenever `release` changes.
import * as pulumi from "@pulumi/pulumi";
import { RedisPasswordRotation } from "pulumi-upstash-rotation";

const config = new pulumi.Config();

const cache = new RedisPasswordRotation("cache", {
  databaseId: config.require("databaseId"),
  triggers: { release: config.require("release") },
});

export const endpoint = cache.endpoint;
export const redisUrl = cache.redisUrl; // secret
