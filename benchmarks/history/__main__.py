"""Pairs of releases of diffusers, a defect and what mended it: which questions tell them apart?

python -m benchmarks.history [CLASS …]

Installs each release beside the others (without its dependencies, which are those of now),
certifies both of each pair in a process of its own, and writes `reports/history/pairs.json` and the
table of `reports/history/README.md`. Takes some minutes; what is there is not asked again.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
OUT = HERE.parents[1] / "reports" / "history"
RELEASES = Path(os.environ.get("DFBENCH_RELEASES", HERE.parents[1] / ".releases"))

#: Names that old releases import and that packages of now have no more.
CHILD = """
import json, sys
import huggingface_hub as hub
for name in ("cached_download", "HfFolder"):
    if not hasattr(hub, name):
        setattr(hub, name, hub.hf_hub_download)
hub.constants.hf_cache_home = hub.constants.HF_HOME
import dfbench
name, config = json.loads(sys.argv[1])
(report,) = dfbench.certify(f"diffusers:{name}", config=config).subjects
print("REPORT" + json.dumps({
    f.claim: [f.verdict, f.measured, f.where or f.why or "", f.harm] for f in report.findings
}, default=str))
"""

Found = dict[str, list[Any]]


def installed(release: str) -> Path:
    """The folder of a release."""
    folder = RELEASES / release
    if not folder.exists():
        pip = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps"]
        subprocess.run([*pip, "--target", str(folder), f"diffusers=={release}"], check=True)
    return folder


def asked(release: str, name: str, config: dict[str, Any]) -> Found:
    """The findings on a class of a release."""
    root = HERE.parents[1]
    paths = os.pathsep.join(map(str, (installed(release), root)))
    done = subprocess.run(
        [sys.executable, "-c", CHILD, json.dumps([name, config])],
        env=os.environ | {"PYTHONPATH": paths},
        capture_output=True,
        text=True,
        check=False,
    )
    lines = [line for line in done.stdout.splitlines() if line.startswith("REPORT")]
    if not lines:
        raise RuntimeError(f"{release} {name}: {done.stderr[-2000:]}")
    found: Found = json.loads(lines[0].removeprefix("REPORT"))
    return found


def apart(bad: Found, good: Found) -> dict[str, list[Any]]:
    """The questions that fail in the one and not in the other, or there a tenth as much."""
    found = {}
    for claim, (verdict, size, *_) in bad.items():
        after, left, *_ = good.get(claim, ["skip", None])
        sizes = isinstance(size, float) and isinstance(left, float)
        if verdict == "fail" and (after in ("pass", "skip") or (sizes and left < 0.1 * size)):
            found[claim] = bad[claim]
    return found


def main(names: list[str]) -> None:
    pairs = tomllib.loads((HERE / "pairs.toml").read_text("utf-8"))["pair"]
    kept_in = OUT / "pairs.json"
    kept = json.loads(kept_in.read_text("utf-8")) if kept_in.exists() else []
    known = {json.dumps(each["pair"], sort_keys=True): each for each in kept}
    rows = []
    for pair in pairs:
        key = json.dumps(pair, sort_keys=True)
        if key not in known or pair["class"] in names:
            config = pair.get("config", {})
            bad, good = (asked(pair[which], pair["class"], config) for which in ("bad", "good"))
            known[key] = {"pair": pair, "apart": apart(bad, good)}
            print(pair["class"], pair["bad"], pair["good"], *known[key]["apart"])
        rows.append(known[key])
        kept_in.write_text(json.dumps(rows, indent=1, ensure_ascii=False) + "\n", "utf-8")
    (OUT / "README.md").write_text(page(rows), "utf-8")


def page(rows: list[dict[str, Any]]) -> str:
    """The table."""
    told = sum(bool(row["apart"]) for row in rows)
    lines = [
        "# Releases told apart",
        "",
        "Defects of released diffusers schedulers, and the releases that mended them. Both of a",
        "pair are certified as they are (`python -m benchmarks.history`); told apart is a pair of",
        "which a question fails in the one and not in the other, or there a tenth as much.",
        "",
        f"**{told} of {len(rows)} pairs are told apart.**",
        "",
        "| class | defect in | mended in | what was wrong | questions that tell |",
        "|---|---|---|---|---|",
    ]
    for row in rows:
        pair = row["pair"]
        config = ", ".join(f"{k}={v!r}" for k, v in pair.get("config", {}).items())
        name = f"{pair['class']}({config})" if config else pair["class"]
        tell = ", ".join(f"`{claim}`" for claim in row["apart"]) or "none"
        lines.append(f"| {name} | {pair['bad']} | {pair['good']} | {pair['what']} | {tell} |")
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    main(sys.argv[1:])
