"""`python -m tests.simulation N [SEED] [--processes 2]`: run sequences and print a table.

`python -m tests.simulation --exhaustive 5 3` tries all sequences of 5 operations with at most 3
faults. `python -m tests.simulation --story SEED` shrinks a failing seed and tells its story.
"""

from __future__ import annotations

import argparse
import logging
import os
import sys
import time
from concurrent.futures import ProcessPoolExecutor
from functools import partial

from .exhaustive import ACCOUNTS, PROGRAMS, Tally, search_from
from .plan import Plan, plan_of_seed
from .shrink import shrink, story
from .table import Totals, run_seeds, table

CHUNK = 1000


def main(arguments: list[str]) -> int:
    """Run what the arguments ask for. Return how many promises were broken."""
    parser = argparse.ArgumentParser(prog="python -m tests.simulation", description=__doc__)
    parser.add_argument("count", nargs="?", type=int, default=10_000, help="number of sequences")
    parser.add_argument("seed", nargs="?", type=int, default=0, help="the first seed")
    parser.add_argument("--processes", type=int, default=os.cpu_count() or 1)
    parser.add_argument("--exhaustive", nargs=2, type=int, metavar=("OPERATIONS", "FAULTS"))
    parser.add_argument("--story", type=int, metavar="SEED")
    given = parser.parse_args(arguments)
    logging.disable(logging.CRITICAL)
    if given.story is not None:
        return tell(given.story)
    if given.exhaustive:
        return search_all(*given.exhaustive, processes=given.processes)
    return draw_all(given.count, given.seed, processes=given.processes)


def draw_all(count: int, seed: int, *, processes: int) -> int:
    """Run sequences from a seed on, and print a table and the story of each broken promise."""
    started, totals = time.monotonic(), Totals()
    ends = [*range(seed, seed + count, CHUNK), seed + count]
    with ProcessPoolExecutor(processes) as pool:
        for part in pool.map(run_seeds, ends[:-1], ends[1:]):
            totals.add(part)
            print(f"{totals.sequences} done, {len(totals.broken)} broken", file=sys.stderr)
            for failing, promise, _ in part.broken:
                print(f"seed {failing}: {promise}", file=sys.stderr, flush=True)
    print(table(totals, time.monotonic() - started))
    for promise, seeds in totals.seeds_of_promises().items():
        print(f"\n{promise}: {len(seeds)} times, such as seed {seeds[0]}")
        print(story(shrink(seeds[0])))
    return len(totals.broken)


def search_all(operations: int, faults: int, *, processes: int) -> int:
    """Search exhaustively, and print what was tried."""
    started, total = time.monotonic(), Tally()
    plans = [Plan(*account, arguments, ()) for account in ACCOUNTS for arguments in PROGRAMS]
    with ProcessPoolExecutor(processes) as pool:
        for tally in pool.map(partial(search_one, operations, faults), plans):
            total.add(tally)
            print(f"{total.sequences} sequences judged", file=sys.stderr)
    print("| what | number |\n| --- | ---: |")
    print(f"| sequences judged | {total.sequences:,} |")
    print(f"| prefixes with a known future | {total.left_out:,} |")
    print(f"| broken promises | {total.broken.total():,} |")
    print(f"| minutes | {(time.monotonic() - started) / 60:.1f} |")
    for promise, plan in total.examples.items():
        print(f"\n{promise}: {total.broken[promise]} times, such as")
        print(story(plan))
    return total.broken.total()


def search_one(operations: int, faults: int, plan: Plan) -> Tally:
    """Search exhaustively for one account and one program."""
    logging.disable(logging.CRITICAL)
    tally = Tally()
    search_from(plan, operations, faults, tally)
    return tally


def tell(seed: int) -> int:
    """Print the story of a seed, shrunk if it breaks a promise."""
    try:
        plan, broken = shrink(seed), 1
    except ValueError:
        plan, broken = plan_of_seed(seed), 0
    print(story(plan))
    return broken


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]) != 0)
