// Rotates the password of one Upstash Redis database whenever `release` changes.
package main

import (
	"example.com/pulumi-upstash-rotation/sdk/go/upstashrotation"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi/config"
)

func main() {
	pulumi.Run(func(ctx *pulumi.Context) error {
		settings := config.New(ctx, "")
		cache, err := upstashrotation.NewRedisPasswordRotation(ctx, "cache", &upstashrotation.RedisPasswordRotationArgs{
			DatabaseId: pulumi.String(settings.Require("databaseId")),
			Triggers:   pulumi.Map{"release": pulumi.String(settings.Require("release"))},
		})
		if err != nil {
			return err
		}
		ctx.Export("endpoint", cache.Endpoint)
		ctx.Export("redisUrl", cache.RedisUrl) // secret
		return nil
	})
}
