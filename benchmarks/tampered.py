"""Tamper with derivations and replay them: python -m benchmarks.tampered [--count 1000] [--seed 6].

Every tampered derivation has one thing changed, blindly (tests/derivation/tampering.py). Counted are those that still
read as a derivation; `as true` are changes that a check without the replay shows to be true all the same.
"""

import argparse
import time
from collections import Counter

import symbinv as si
from tests.derivation.tampering import sample, true_all_the_same
from tests.derivation.varied import varied

COLUMNS = ("replay", "reading", "as true", "missed")


def outcome(original, text):
    """Return who refuses a tampered derivation."""
    try:
        changed = si.Derivation.from_json(text)
    except si.ReadError:
        return "reading"
    if not changed.replay().holds:
        return "replay"
    return "as true" if true_all_the_same(original, changed) else "missed"


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--count", type=int, default=1000, help="tampered derivations that can be read and are false")
    parser.add_argument("--seed", type=int, default=6)
    options = parser.parse_args()
    originals = varied()
    texts = {name: d.to_json() for name, d in originals.items()}
    found: Counter[tuple[str, str]] = Counter()
    judged, begin = 0, time.process_time()
    for name, one in sample(texts, 2 * options.count, options.seed):
        result = outcome(originals[name], one.text)
        found[one.kind, result] += 1
        judged += result in ("replay", "missed")
        if result == "missed":
            print(f"missed: {name} {one.kind} {one.place}")
        if judged == options.count:
            break
    seconds = time.process_time() - begin
    print(f"{'changed':20}" + "".join(f"{c:>10}" for c in COLUMNS))
    for kind in sorted({kind for kind, _ in found}):
        print(f"{kind:20}" + "".join(f"{found[kind, c]:10}" for c in COLUMNS))
    print(f"{'all':20}" + "".join(f"{sum(v for (_, r), v in found.items() if r == c):10}" for c in COLUMNS))
    print(f"{judged} derivations of {len(originals)} kinds replayed in {seconds:.1f} s of one core")


if __name__ == "__main__":
    main()
