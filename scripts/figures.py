#!/usr/bin/env python3
"""Writes the figures in the pages from the measurements in docs/evidence.

    docs/performance.md, README.md    from bench-*.json and profile-*.json; missed targets from all files
    docs/benchmarks.md                from tables-*.json and repetitions.json
    docs/reliability.md               from soak-*.json
    docs/verifying.md                 from releases.json and nix-releases.json

    scripts/figures.py --write     updates the pages
    scripts/figures.py --verify    fails if a page differs from the evidence
"""

import json
import re
import sys
from pathlib import Path

TOP = Path(__file__).resolve().parent.parent
EVIDENCE = TOP / "docs/evidence"
BEGIN, END = "<!-- figures: scripts/figures.py --write -->\n", "<!-- end of figures -->\n"
BEGIN_MISSED, END_MISSED = "<!-- missed: scripts/figures.py --write -->\n", "<!-- end of missed -->\n"
BEGIN_NIX, END_NIX = "<!-- nix: scripts/figures.py --write -->\n", "<!-- end of nix -->\n"
BEGIN_LIVE, END_LIVE = "<!-- live: scripts/figures.py --write -->\n", "<!-- end of live -->\n"
BEGIN_SYSTEM, END_SYSTEM = "<!-- system: scripts/figures.py --write -->\n", "<!-- end of system -->\n"

# The rows of the README: text, evidence file, name of the figure in it.
README = [
    ("wall time of an evaluation, relative to nix", "box-present", "ours / default nix, wall"),
    ("peak memory of the evaluator, relative to nix", "box-present", "evaluator / default nix, peak memory"),
    ("enabling a cached and built module, until the switch program runs", "toggle", "until the switch program runs"),
    ("`check` of 24 modules with two workers, relative to 24 `nix eval`, two at a time", "check-box",
     "check of 24 modules, two workers / 24 nix eval, two at a time"),
]

# Old texts in the names of figures, with their replacements. Evidence from earlier versions of scripts/bench and
# scripts/profile has the old texts.
RENAMED = [
    ("nix as it comes", "default nix"),
    ("loading libnix, once in each run of ours", "loading libnix, once per run"),
    (" by two workers;", " with two workers;"),
    ("/ that of two nix eval and a process that has evaluated the host", "/ two nix eval plus one process with an evaluated host"),
    ("that of two nix eval", "peak memory of two nix eval"),
    ("that of a process that has evaluated the host", "peak memory of one process with an evaluated host"),
    ("derivations that are not the same", "derivations that differ"),
    ("of it the ", "of which "),
    ("after the evaluation of a whole NixOS", "after evaluating a whole NixOS"),
    ("evaluated before: what is missing, asked for", "cached: querying what is missing for"),
    (": the phase / nix build --dry-run beyond nix path-info", ": our phase / nix build --dry-run minus nix path-info"),
    ("the same, whole runs: cached", "whole runs: cached"),
    ("of the .drv beyond nix path-info", "of the .drv, minus nix path-info"),
    ("packages where that is proved, against forks that share none", "packages if that is proved sound, against forks that share none"),
    (") those with another derivation", "), those with a different derivation"),
    ("a module turned on, evaluated and built before; until switch-to-configuration runs",
     "enabling a cached and built module, until switch-to-configuration runs"),
    ("to the switch program, cached and built", "until the switch program runs"),
    (", its cache off", ", cache off"),
    (", its cache warm", ", warm cache"),
    ("of processor time", "of CPU time"),
    ("of it: the parser itself", "of which the parser"),
    ("the kernel, all of it", "the kernel, total"),
]


def read(path):
    """Returns the document in an evidence file, with the current texts."""
    text = path.read_text()
    for old, new in RENAMED:
        text = text.replace(old, new)
    return json.loads(text)


def shown(one):
    form = {"ratio": "{:.3f}", "s": "{:.3f} s", "ms": "{:.1f} ms", "MB": "{:.1f} MB"}[one["unit"]].format
    value, limit = one["value"], one["limit"]
    text = f"{form(value['median'])} ({form(value['min'])} – {form(value['max'])}, n = {value['n']})"
    return text + (f", at most {form(limit)}" if limit is not None else "")


def evidence(case):
    return read(EVIDENCE / f"bench-{case}.json")


def table():
    """Returns a table for each benchmark."""
    text = ""
    for path in sorted(EVIDENCE.glob("bench-*.json")):
        document = evidence(path.stem.removeprefix("bench-"))
        text += f"**{document['what']}** ([samples](evidence/{path.name}))\n\n"
        text += "| figure | median (min – max) | at most | |\n|---|---|---|---|\n"
        for one in document["checks"]:
            value = shown(one).split(", at most ")
            met = "" if one["limit"] is None else ("met" if one["met"] else "**missed**")
            text += f"| {one['name']} | {value[0]} | {value[1] if len(value) > 1 else ''} | {met} |\n"
        text += "\n"
    return text


def missed():
    """Returns a list of every missed target in any evidence file, so that nobody can omit one."""
    rows = ""
    for path in sorted(EVIDENCE.glob("*.json")):
        document = read(path)
        for one in document.get("checks", []) if isinstance(document, dict) else []:
            if one["met"] is False:
                value, limit = shown(one).split(", at most ")
                rows += f"| {document['what']} ([samples](evidence/{path.name})) | {one['name']} | {value} | {limit} |\n"
    if not rows:
        return "Every target is met.\n"
    return f"| targets missed | figure | median (min – max) | at most |\n|---|---|---|---|\n{rows}"


def profiles():
    """Returns the share of each part in the time of a cold evaluation."""
    text = ""
    for path in sorted(EVIDENCE.glob("profile-*.json")):
        result = read(path)
        found = list(result["derivations"].values())
        heads = [f"derivations {state}, {one['samples']:,} samples" for state, one in result["derivations"].items()]
        text += f"**{result['what']}** ([shares](evidence/{path.name}))\n\n"
        text += f"| | {' | '.join(heads)} |\n|---|{'---:|' * len(heads)}\n"
        for name in result["pieces"]:
            shares = " | ".join(f"{one['shares'][name.strip()]:.1%}".replace("%", " %") for one in found)
            text += f"| {name.strip()} | {shares} |\n"
        text += "\n"
    return text


def chosen():
    """Returns the table of the README."""
    text = "| | median (min – max) | |\n|---|---|---|\n"
    for words, case, name in README:
        checks = evidence(case)["checks"]
        one = next(one for one in checks if name in (None, one["name"]))
        text += f"| {words} | {shown(one).split(', at most ')[0]} | [samples](docs/evidence/bench-{case}.json) |\n"
    return text


# The tables of docs/benchmarks.md, in their order.
TABLES = [
    "jenkins", "grafana", "gotosocial", "jenkins-on-box", "grafana-on-box", "gotosocial-on-box", "generated", "eval", "compare", "overrides",
    "overrides-toplevel",
]


def time(milliseconds):
    return f"{milliseconds / 1e3:.3f} s" if milliseconds >= 1e3 else f"{milliseconds:.1f} ms"


def tables():
    """Returns the results of `bench` on real hosts, with the published figures of the same services."""
    text = ""
    for case in TABLES:
        path = EVIDENCE / f"tables-{case}.json"
        if not path.exists():
            continue
        result = read(path)
        published = any("published" in one for one in result["series"])
        heads = ["", "median", "on CPU", "ratio", *(["published", "published ratio"] if published else []), "thunks", "peak"]
        # The source's store path does not help a reader. The samples contain it.
        title = re.sub(r"(, )?path:<store>/[^,# ]*", "", result["title"])
        text += f"**{title}** ([samples](evidence/{path.name}))\n\n"
        text += f"| {' | '.join(heads)} |\n|---|{'---:|' * (len(heads) - 1)}\n"
        for one in result["series"]:
            counted = one.get("counters") or {}
            ran = time(one["ran"]["median"]) if "ran" in one else ""
            cells = [f"`{one['name']}`", time(one["summary"]["median"]), ran, f"{one['ratio']:.3f}"]
            if published:
                figure = one.get("published")
                cells += [time(figure["milliseconds"]), f"{figure['ratio']:.3f}"] if figure else ["", ""]
            cells += [f"{counted['thunks']:,}", f"{counted['peakBytes'] / 1e6:,.0f} MB"] if counted else ["", ""]
            text += f"| {' | '.join(cells)} |\n"
        text += "\n"
    return text + repetitions()


def repetitions():
    """Returns the results of one benchmark that was repeated many times on a busy machine."""
    path = EVIDENCE / "repetitions.json"
    if not path.exists():
        return ""
    result = read(path)
    thunks = "all of them counted the same number of thunks" if result["sameThunks"] else "**their numbers of thunks differ**"
    return (
        f"**{result['what'][0].upper()}{result['what'][1:]}**, with a load average of {result['machine']['loadBefore']:.1f} on "
        f"{result['machine']['processors']} processors ([samples](evidence/{path.name})): {result['furtherThan5Percent']} medians were "
        f"more than 5 % away from the median of all, {result['furtherAndNotSaid']} of them without a warning; {thunks}.\n"
    )


def soaked():
    """Returns the results of the long runs."""
    text = "| what was tested | how often | failures | commit |\n|---|---:|---:|---|\n"

    def row(case, what, often, wrong):
        path = EVIDENCE / f"soak-{case}.json"
        if not path.exists():
            return f"| {what} | not run yet | | |\n"
        document = read(path)
        found = document.get("found", document)
        commit = f"`{document['commit'][:7]}`, [details](evidence/soak-{case}.json)"
        return f"| {what} | {often(found):,} | {wrong(found):,} | {commit} |\n"

    text += row("crashes", "processes killed at a random step or write", lambda f: f["crashes"], lambda f: f["inconsistent"])
    text += row("writes", "writes cut short by a full disk or a kill", lambda f: f["cuts"], lambda f: f["inconsistent"])
    text += row("load", "transactions in a row", lambda f: f["transactions"], lambda f: 0)
    text += row("fuzz", "fuzz inputs for the readers of files and messages", lambda f: sum(one["inputs"] for one in f["targets"]),
                lambda f: sum(one["result"] != "passed" for one in f["targets"]))
    text += never_fuzzed()
    path = EVIDENCE / "soak-load.json"
    if not path.exists():
        return text
    load = read(path)["found"]
    text += "\n| under load | at the start | at the end |\n|---|---:|---:|\n"
    first, last = load["leastMilliseconds"].values()
    text += f"| fastest transaction of the first and last fifth | {first:.0f} ms | {last:.0f} ms |\n"
    first, last = load["medianEvaluatorPeakBytes"].values()
    text += f"| median peak memory of the evaluator | {first / 1e6:.1f} MB | {last / 1e6:.1f} MB |\n"
    for name, words in (("files", "files"), ("roots", "GC roots"), ("keptBytes", "bytes of state, history and logs")):
        first, last = load[name].values()
        text += f"| {words} | {first:,} | {last:,} |\n"
    for point, before in load["heldBefore"].items():
        after = load["heldAfter"][point]
        text += f"| file descriptors of the {point.split('.')[0]} | {before['descriptors']} | {after['descriptors']} |\n"
        text += f"| peak memory of the {point.split('.')[0]} | {before['peakKilobytes'] / 1e3:.1f} MB | {after['peakKilobytes'] / 1e3:.1f} MB |\n"
    return text


def never_fuzzed():
    """Returns a row for the readers that the evidence does not contain. Each reader has a folder in fuzz/corpus."""
    path = EVIDENCE / "soak-fuzz.json"
    fuzzed = {one["target"] for one in read(path)["targets"]} if path.exists() else set()
    names = [f"`{path.name}`" for path in sorted((TOP / "fuzz/corpus").iterdir()) if path.name not in fuzzed]
    return f"| readers not fuzzed yet: {', '.join(names)} | {len(names)} | | |\n" if names else ""


def on_systemd():
    """Returns the results on a real systemd, for each switch program."""
    path = EVIDENCE / "soak-system.json"
    if not path.exists():
        return "There is no evidence yet. Run `RUNTIME_MODULE_SOAK=1 tests/system/check` to create it.\n"
    document = read(path)
    text = "| switch program | systemd | behaviours | failures | not tested |\n|---|---|---:|---:|---|\n"
    for one in document["found"]["switchPrograms"]:
        skipped = "; ".join(f"`{each['name']}`: {each['why']}" for each in one["skipped"])
        text += f"| {one['switchProgram']} | {one['systemd']} | {one['passed'] + one['failed']} | {one['failed']} | {skipped} |\n"
    return text + f"\nMeasured at commit `{document['commit'][:7]}` ([details](evidence/{path.name})).\n"


def releases():
    """Returns the results of the checks on each release of NixOS, and the tests that were skipped or failed."""
    path = EVIDENCE / "releases.json"
    if not path.exists():
        return "There is no evidence yet. Run `scripts/releases` to create it.\n"
    found = read(path)["found"]
    names = sorted({name for one in found.values() for name in one["checks"]})
    text = f"| NixOS | nixpkgs | {' | '.join(f'`tests/{name}/check`' for name in names)} |\n|---|---|{'---|' * len(names)}\n"
    notes = {}
    for release, one in found.items():
        cells = []
        for name in names:
            check = one["checks"].get(name)
            cells.append(counted(check) if check else "not run")
            for kind in ("failures", "skipped"):
                for what in check[kind] if check else []:
                    notes.setdefault((kind, name, what), []).append(release)
        text += f"| {release} | {one['nixpkgs'][:9]} | {' | '.join(cells)} |\n"
    text += "\n"
    for (kind, name, what), where in notes.items():
        on = "all releases" if len(where) == len(found) else ", ".join(where)
        text += f"- {'Failed' if kind == 'failures' else 'Skipped'} on {on}: {what} (`tests/{name}/check`)\n"
    commits = sorted({check["commit"][:7] for one in found.values() for check in one["checks"].values()})
    return text + ("\n" if notes else "") + f"Tested at {', '.join(f'`{one}`' for one in commits)} ([results](evidence/{path.name})).\n"


def nix_releases():
    """Returns the results of the tests with each release of Nix."""
    path = EVIDENCE / "nix-releases.json"
    found = read(path)["found"]
    names = list(dict.fromkeys(name for one in found.values() for name in one["checks"]))
    text = f"| tests | {' | '.join(found)} |\n|---|{'---|' * len(found)}\n"
    for name in names:
        cells = [counted(one["checks"][name]) if name in one["checks"] else "not run" for one in found.values()]
        text += f"| {name} | {' | '.join(cells)} |\n"
    commits = sorted({check["commit"][:7] for one in found.values() for check in one["checks"].values()})
    return text + f"\nTested at {', '.join(f'`{one}`' for one in commits)} ([results](evidence/{path.name})).\n"


def counted(check):
    """Returns the counts of a check on one release."""
    text = f"{check['passed']} passed"
    if check["failed"]:
        text += f", **{check['failed']} failed**"
    return text + (f", {len(check['skipped'])} skipped" if check["skipped"] else "")


def on_nixos():
    """Returns the results on booted NixOS systems, for each release."""
    paths = sorted(EVIDENCE.glob("live-*.json"))
    if not paths:
        return "There is no evidence yet. Run `tests/live/check --evidence` to create it.\n"
    text = "| NixOS | switch program | Debian | behaviours | failures | not tested | set-up | behaviours take | commit |\n"
    text += "|---|---|---|---:|---:|---|---:|---:|---|\n"
    for path in paths:
        document = read(path)
        found = document["found"]
        skipped = "; ".join(f"`{name}`: {one['skipped']}" for name, one in found["behaviours"].items() if "skipped" in one)
        row = [found["release"], found["switchProgram"], found["suite"], found["passed"] + found["failed"], found["failed"], skipped]
        row += [f"{found['setUpSeconds']} s", f"{found['behavioursSeconds']} s"]
        row += [f"`{document['commit'][:7]}`, [details](evidence/{path.name})"]
        text += f"| {' | '.join(map(str, row))} |\n"
    return text


def page(path, figures):
    """Returns the text of a page with all of its generated parts updated."""
    text = put(path.read_text(), BEGIN, figures, END)
    if path.name == "performance.md":
        return put(text, BEGIN_MISSED, missed(), END_MISSED)
    if path.name == "verifying.md":
        return put(text, BEGIN_NIX, nix_releases(), END_NIX)
    if path.name == "reliability.md":
        text = put(text, BEGIN_SYSTEM, on_systemd(), END_SYSTEM)
        return put(text, BEGIN_LIVE, on_nixos(), END_LIVE)
    return text


def put(text, begin, figures, end):
    before, rest = text.split(begin)
    return f"{before}{begin}\n{figures}\n{end}{rest.split(end)[1]}"


def main():
    pages = {
        TOP / "docs/performance.md": profiles() + table().rstrip("\n") + "\n",
        TOP / "docs/benchmarks.md": tables().rstrip("\n") + "\n",
        TOP / "docs/reliability.md": soaked(),
        TOP / "docs/verifying.md": releases(),
        TOP / "README.md": chosen(),
    }
    if sys.argv[1:] == ["--write"]:
        for path, figures in pages.items():
            path.write_text(page(path, figures))
    elif sys.argv[1:] == ["--verify"]:
        stale = [path.name for path, figures in pages.items() if path.read_text() != page(path, figures)]
        if stale:
            sys.exit(f"{', '.join(stale)}: the figures differ from docs/evidence; run scripts/figures.py --write")
    else:
        sys.exit(__doc__)


if __name__ == "__main__":
    main()
