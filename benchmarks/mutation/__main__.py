"""python -m benchmarks.mutation [--every K] [--budget MINUTES] [PATTERN...]"""

from __future__ import annotations

import argparse
import os
import sys
from pathlib import Path

for _name in ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS"):
    os.environ.setdefault(_name, "1")

from benchmarks.mutation import operators, report, run  # noqa: E402 - after the number of threads

ROOT = Path(__file__).resolve().parents[2]


def main() -> None:
    """Run mutants, then write the report."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.mutation", description=run.__doc__)
    parser.add_argument("patterns", nargs="*", help="parts of paths; all files by default")
    parser.add_argument("--every", type=int, default=1, help="only every k-th mutant of a file")
    parser.add_argument("--seed", type=int, default=0, help="of the choice")
    parser.add_argument("--budget", type=float, default=60.0, help="minutes")
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--again", action="store_true", help="run survivors once more")
    parser.add_argument("--root", type=Path, default=ROOT, help="tree under mutation")
    parser.add_argument("--out", type=Path, default=ROOT / "reports" / "claims" / "mutation.csv")
    parser.add_argument("--lines", type=Path, help="keep what judges execute in this file")
    parser.add_argument(
        "--ask", action="append", help='these judges only ("claim 8", "test tests/formulas")'
    )
    parser.add_argument("--report", action="store_true", help="write the report only")
    parser.add_argument("--prune", action="store_true", help="drop reasons that nothing needs now")
    args = parser.parse_args()
    root = args.root.resolve()
    known = run.undump(args.lines) if args.lines and args.lines.exists() else None
    if not args.report:
        run.run(
            root,
            args.out,
            args.patterns,
            every=args.every,
            seed=args.seed,
            budget=args.budget,
            workers=args.workers,
            again=args.again,
            known=known,
            keep=args.lines,
            only=args.ask,
        )
    made = {name: operators.mutants((root / name).read_text(), name) for name in run.sources(root)}
    current = {mutant.key for each in made.values() for mutant in each}
    results = [one for key, one in run.load(args.out).items() if key in current]
    total = {name: len(each) for name, each in made.items() if each}
    if args.prune:
        print(f"{report.prune(results)} reasons dropped", file=sys.stderr)
    report.write(results, args.out.with_suffix(".md"), total)


if __name__ == "__main__":
    main()
