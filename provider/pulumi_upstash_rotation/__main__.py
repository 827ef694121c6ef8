"""`python -m pulumi_upstash_rotation`: the command line."""

from __future__ import annotations

from .frontends.cli.main import main

if __name__ == "__main__":
    main()
