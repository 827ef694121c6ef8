"""The plugin, as `pulumi package add FOLDER` runs it. FOLDER is this one, here or in a git tag."""

import sys

from pulumi_upstash_rotation.frontends.native.main import main

sys.exit(main())
