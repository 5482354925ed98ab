#!/usr/bin/env python3
"""The figures of docs/performance.md and README.md, made from docs/evidence/bench-*.json and profile-*.json (and what is missed, from whatever evidence), of docs/benchmarks.md, made from
docs/evidence/tables-*.json, and of docs/reliability.md, made from docs/evidence/soak-*.json.

    scripts/figures.py --write     puts them into the pages
    scripts/figures.py --verify    fails where a page says something else
"""

import json
import re
import sys
from pathlib import Path

TOP = Path(__file__).resolve().parent.parent
EVIDENCE = TOP / "docs/evidence"
BEGIN, END = "<!-- figures: scripts/figures.py --write -->\n", "<!-- end of figures -->\n"
BEGIN_MISSED, END_MISSED = "<!-- missed: scripts/figures.py --write -->\n", "<!-- end of missed -->\n"
BEGIN_SYSTEM, END_SYSTEM = "<!-- system: scripts/figures.py --write -->\n", "<!-- end of system -->\n"

# What the README shows: what it is in words, the evidence, and the name of the figure in it.
README = [
    ("wall time, to nix as it comes", "box-present", "ours / nix as it comes, wall"),
    ("wall time, to nix given the same heap", "box-present", "ours / nix with the same heap, wall"),
    ("wall time on the host whose overlay reads its configuration, to nix as it comes", "box-real-present", "ours / nix as it comes, wall"),
    ("wall time through a daemon, to nix as it comes", "box-daemon", "ours / nix as it comes, wall"),
    ("wall time, its `.drv`s not there yet, to nix as it comes", "box-absent", "ours / nix as it comes, wall"),
    ("the evaluator's peak memory, to nix as it comes", "box-present", "evaluator / nix as it comes, peak memory"),
    ("the same with `--low-memory`", "box-present", "--low-memory / nix as it comes, peak memory"),
    ("wall time with `--low-memory`", "box-present", "--low-memory / nix as it comes, wall"),
    ("a thousand more modules declared, to none", "box-thousand", "a thousand more / without, wall"),
    ("time that is neither spent in libnix nor loading it", "box-present", "our own share"),
    ("turned on again, all of it cached and built: until the switch program runs", "toggle", "to the switch program, cached and built"),
    ("the same, to nix", "toggle", "to the switch program, cached and built / nix, its cache off"),
    ("the same, to nix with its cache warm", "toggle", "to the switch program, cached and built / nix, its cache warm (git tree)"),
    ("`check` of 24 modules by two workers, to 24 `nix eval` two at a time", "check-box", "check of 24 modules, two workers / 24 nix eval, two at a time"),
    ("held by all our processes while the switch program runs", "held", None),
    ("`list`", "reading", None),
]


def shown(one):
    form = {"ratio": "{:.3f}", "s": "{:.3f} s", "ms": "{:.1f} ms", "MB": "{:.1f} MB"}[one["unit"]].format
    value, limit = one["value"], one["limit"]
    text = f"{form(value['median'])} ({form(value['min'])} – {form(value['max'])}, n = {value['n']})"
    return text + (f", at most {form(limit)}" if limit is not None else "")


def evidence(case):
    return json.loads((EVIDENCE / f"bench-{case}.json").read_text())


def table():
    """All evidence."""
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
    """Every target that is not met, whatever the evidence: nobody chooses which of them are told."""
    rows = ""
    for path in sorted(EVIDENCE.glob("*.json")):
        document = json.loads(path.read_text())
        for one in document.get("checks", []) if isinstance(document, dict) else []:
            if one["met"] is False:
                value, limit = shown(one).split(", at most ")
                rows += f"| {document['what']} ([samples](evidence/{path.name})) | {one['name']} | {value} | {limit} |\n"
    if not rows:
        return "Every target is met.\n"
    return f"| targets missed | figure | median (min – max) | at most |\n|---|---|---|---|\n{rows}"


def profiles():
    """In what a cold evaluation spends its time."""
    text = ""
    for path in sorted(EVIDENCE.glob("profile-*.json")):
        result = json.loads(path.read_text())
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
    """What the README shows."""
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
    """What `bench` says of real hosts, beside what others published of the same services."""
    text = ""
    for case in TABLES:
        path = EVIDENCE / f"tables-{case}.json"
        if not path.exists():
            continue
        result = json.loads(path.read_text())
        published = any("published" in one for one in result["series"])
        heads = ["", "median", "on CPU", "ratio", *(["published", "its ratio"] if published else []), "thunks", "peak"]
        # The source's store path says nothing to a reader; it is in the samples.
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
    """What the same benchmark said when it was run again and again on a busy machine."""
    path = EVIDENCE / "repetitions.json"
    if not path.exists():
        return ""
    result = json.loads(path.read_text())
    thunks = "the same number of thunks in all of them" if result["sameThunks"] else "**other numbers of thunks**"
    return (
        f"**{result['what'][0].upper()}{result['what'][1:]}**, at a load of {result['machine']['loadBefore']:.1f} on "
        f"{result['machine']['processors']} processors ([samples](evidence/{path.name})): {result['furtherThan5Percent']} medians "
        f"further than 5 % from the middle one, {result['furtherAndNotSaid']} of which did not say that this may be; {thunks}.\n"
    )


def soaked():
    """What long runs have found."""
    text = "| what | how often | what was wrong | of commit |\n|---|---:|---:|---|\n"

    def row(case, what, often, wrong):
        path = EVIDENCE / f"soak-{case}.json"
        if not path.exists():
            return f"| {what} | none yet | | |\n"
        document = json.loads(path.read_text())
        found = document.get("found", document)
        commit = f"`{document['commit'][:7]}`, [more](evidence/soak-{case}.json)"
        return f"| {what} | {often(found):,} | {wrong(found):,} | {commit} |\n"

    text += row("crashes", "processes killed at a step or a write, by lot", lambda f: f["crashes"], lambda f: f["inconsistent"])
    text += row("writes", "writes cut short, by a full disk or a kill", lambda f: f["cuts"], lambda f: f["inconsistent"])
    text += row("load", "transactions in a row", lambda f: f["transactions"], lambda f: 0)
    text += row("fuzz", "inputs to what reads files and messages", lambda f: sum(one["inputs"] for one in f["targets"]),
                lambda f: sum(one["result"] != "passed" for one in f["targets"]))
    text += never_fuzzed()
    path = EVIDENCE / "soak-load.json"
    if not path.exists():
        return text
    load = json.loads(path.read_text())["found"]
    text += "\n| under load | at first | at last |\n|---|---:|---:|\n"
    first, last = load["leastMilliseconds"].values()
    text += f"| time of a transaction, the least of a fifth of them | {first:.0f} ms | {last:.0f} ms |\n"
    first, last = load["medianEvaluatorPeakBytes"].values()
    text += f"| the evaluator's peak memory, median | {first / 1e6:.1f} MB | {last / 1e6:.1f} MB |\n"
    for name, words in (("files", "files"), ("roots", "roots"), ("keptBytes", "bytes of state, history and logs")):
        first, last = load[name].values()
        text += f"| {words} | {first:,} | {last:,} |\n"
    for point, before in load["heldBefore"].items():
        after = load["heldAfter"][point]
        text += f"| file descriptors of the {point.split('.')[0]} | {before['descriptors']} | {after['descriptors']} |\n"
        text += f"| peak memory of the {point.split('.')[0]} | {before['peakKilobytes'] / 1e3:.1f} MB | {after['peakKilobytes'] / 1e3:.1f} MB |\n"
    return text


def never_fuzzed():
    """A row for the readers that the evidence has nothing of; each has a folder in fuzz/corpus."""
    path = EVIDENCE / "soak-fuzz.json"
    fuzzed = {one["target"] for one in json.loads(path.read_text())["targets"]} if path.exists() else set()
    names = [f"`{path.name}`" for path in sorted((TOP / "fuzz/corpus").iterdir()) if path.name not in fuzzed]
    return f"| readers not fuzzed yet: {', '.join(names)} | {len(names)} | | |\n" if names else ""


def on_systemd():
    """What was tried on a real systemd, with which switch programs."""
    path = EVIDENCE / "soak-system.json"
    if not path.exists():
        return "How often that was so is in no evidence yet: `RUNTIME_MODULE_SOAK=1 tests/system/check` makes some.\n"
    document = json.loads(path.read_text())
    text = "| switch program | systemd | behaviours | what was wrong | not tried |\n|---|---|---:|---:|---|\n"
    for one in document["found"]["switchPrograms"]:
        skipped = "; ".join(f"`{each['name']}`: {each['why']}" for each in one["skipped"])
        text += f"| {one['switchProgram']} | {one['systemd']} | {one['passed'] + one['failed']} | {one['failed']} | {skipped} |\n"
    return text + f"\nOf commit `{document['commit'][:7]}`, [more](evidence/{path.name}).\n"


def page(path, figures):
    """A page with its figures in their place, and what else there is a place for."""
    text = put(path.read_text(), BEGIN, figures, END)
    if path.name == "performance.md":
        return put(text, BEGIN_MISSED, missed(), END_MISSED)
    if path.name == "reliability.md":
        return put(text, BEGIN_SYSTEM, on_systemd(), END_SYSTEM)
    return text


def put(text, begin, figures, end):
    before, rest = text.split(begin)
    return f"{before}{begin}\n{figures}\n{end}{rest.split(end)[1]}"


def main():
    pages = {
        TOP / "docs/performance.md": profiles() + table().rstrip("\n") + "\n",
        TOP / "docs/benchmarks.md": tables().rstrip("\n") + "\n",
        TOP / "docs/reliability.md": soaked(),
        TOP / "README.md": chosen(),
    }
    if sys.argv[1:] == ["--write"]:
        for path, figures in pages.items():
            path.write_text(page(path, figures))
    elif sys.argv[1:] == ["--verify"]:
        stale = [path.name for path, figures in pages.items() if path.read_text() != page(path, figures)]
        if stale:
            sys.exit(f"{', '.join(stale)}: other figures than docs/evidence gives; scripts/figures.py --write")
    else:
        sys.exit(__doc__)


if __name__ == "__main__":
    main()
