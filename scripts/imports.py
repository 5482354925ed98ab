#!/usr/bin/env python3
"""Fails if files of a crate import each other in a circle.

A file imports the file that defines a name which it uses through `crate::` or `super::`, or through a module that it
declares. Re-exports (`pub use`) are followed to the file that defines the name. A module file that only declares and
re-exports its children does not import them. Tests are ignored: they may use everything.

    scripts/imports.py        lists the circles; fails if there are any
"""

import re
import sys
from pathlib import Path

TOP = Path(__file__).resolve().parent.parent
IDENTIFIER = r"[A-Za-z_]\w*"
VISIBILITY = r"(?:pub(?:\([^)]*\))? )?"
DECLARED = re.compile(rf"^{VISIBILITY}mod (\w+);", re.M)
DEFINED = re.compile(
    rf"^\s*{VISIBILITY}(?:const |async |unsafe )*(?:struct|enum|trait|type|fn|const|static|union|macro_rules!) (\w+)", re.M)
EXPORTED_MACRO = re.compile(r"#\[macro_export\]\s*macro_rules! (\w+)")
USE = re.compile(r"\b(pub(?:\([^)]*\))? )?use ([^;]+);")
PATH = re.compile(rf"(?<![\w:$.]){IDENTIFIER}(?:::{IDENTIFIER})+")


def code_of(text):
    """Returns the code without tests, comments and strings."""
    text = re.sub(r"//[^\n]*|'(?:\\.|[^'\\])'|" + r'"(?:\\.|[^"\\])*"', "", text)
    text = re.split(r"^#\[cfg\(test\)\]\s*mod \w+ \{", text, flags=re.M)[0]
    return re.sub(rf"^#\[cfg\(test\)\]\s*{VISIBILITY}(?:mod|use) [^;]+;", "", text, flags=re.M)


def leaves(tree, prefix=()):
    """Returns the path and the local name of each item of a `use` declaration."""
    tree = tree.strip()
    if (start := tree.find("{")) >= 0:
        prefix = prefix + tuple(part.strip() for part in tree[:start].split("::") if part.strip())
        inner, depth, item, items = tree[start + 1:tree.rfind("}")], 0, "", []
        for char in inner:
            depth += (char == "{") - (char == "}")
            if char == "," and depth == 0:
                items.append(item)
                item = ""
            else:
                item += char
        return [leaf for one in items + [item] if one.strip() for leaf in leaves(one, prefix)]
    path, _, alias = tree.partition(" as ")
    path = prefix + tuple(part.strip() for part in path.split("::"))
    if path[-1] == "self":
        path = path[:-1]
    return [(path, alias.strip() or path[-1])]


class Crate:
    """The modules of a crate. A module is named by its path, a tuple."""

    def __init__(self, root):
        self.files, self.children, self.defined, self.uses, self.code, self.macros = {}, {}, {}, {}, {}, {}
        source = TOP / root / "src"
        for file in sorted(source.rglob("*.rs")):
            parts = file.relative_to(source).with_suffix("").parts
            if parts == ("main",):
                continue
            module = parts[:-1] if parts[-1] in ("mod", "lib") else parts
            code = code_of(file.read_text())
            self.files[module] = file.relative_to(TOP)
            self.children[module] = set(DECLARED.findall(code))
            self.defined[module] = set(DEFINED.findall(code))
            self.uses[module] = [
                (path, name, bool(public)) for public, tree in USE.findall(code) for path, name in leaves(tree)]
            self.code[module] = DECLARED.sub("", USE.sub("", code))
            self.macros |= {name: module for name in EXPORTED_MACRO.findall(code)}
        # Ignore files of tests: no other file declares them.
        for module in [one for one in self.files if one and one[-1] not in self.children[one[:-1]]]:
            del self.files[module]

    def absolute(self, module, path):
        """Returns a path from the root of the crate; `None` if the path leads to another crate."""
        base, rest = module, path[1:]
        if path[0] in ("crate", "$crate"):
            base = ()
        elif path[0] == "super":
            base = base[:-1]
            while rest and rest[0] == "super":
                base, rest = base[:-1], rest[1:]
        elif path[0] in self.children[module]:
            rest = path
        elif path[0] != "self":
            return None
        return base + rest

    def definer(self, path, seen=frozenset()):
        """Returns the module that defines the item at a path from the root; `None` if another crate does."""
        module = path
        while module not in self.files:
            module = module[:-1]
        rest = path[len(module):]
        if not rest or rest[0] in self.defined[module] or path in seen:
            return module
        seen |= {path}
        globs = []
        for target, local, _ in self.uses[module]:
            absolute = self.absolute(module, target)
            if local == rest[0]:
                return absolute and self.definer(absolute + rest[1:], seen)
            if local == "*":
                globs.append(absolute and absolute[:-1])
        for one in globs:
            if one is not None and (found := self.definer(one + rest, seen)):
                return found
        return None if None in globs else module

    def imports(self, module):
        """Returns the modules that a module uses, with the names that it uses of each."""
        code, local, found = self.code[module], {}, {}

        def add(path, absolute):
            target = absolute and self.definer(absolute)
            if target is not None and target != module:
                found.setdefault(target, set()).add("::".join(path))

        for path, name, public in self.uses[module]:
            absolute = self.absolute(module, path)
            if absolute is None:
                continue
            if name == "*":
                absolute = absolute[:-1]
            elif len(absolute) == 1 and name in self.macros and re.search(rf"\b{name}!", code):
                # A macro may have the same name as a module.
                absolute = self.macros[name]
            local[name] = absolute
            # A re-export alone does not use the item.
            if not public or re.search(rf"(?<![\w:.]){re.escape(name)}\b", code):
                add(path, absolute)
        for text in PATH.findall(code):
            path = tuple(text.split("::"))
            add(path, local[path[0]] + path[1:] if path[0] in local else self.absolute(module, path))
        return found


def components(graph):
    """Returns the strongly connected components with more than one module (Tarjan's algorithm)."""
    index, low, stack, found = {}, {}, [], []

    def visit(node):
        index[node] = low[node] = len(index)
        stack.append(node)
        for other in graph[node]:
            if other not in index:
                visit(other)
                low[node] = min(low[node], low[other])
            elif other in stack:
                low[node] = min(low[node], index[other])
        if low[node] == index[node]:
            group = []
            while not group or group[-1] != node:
                group.append(stack.pop())
            if len(group) > 1:
                found.append(sorted(group))

    for node in graph:
        if node not in index:
            visit(node)
    return found


def main():
    sys.setrecursionlimit(10_000)
    roots = sorted(str(file.parent.parent.relative_to(TOP)) for file in TOP.glob("crates/*/src/lib.rs")) + ["nix-ffi"]
    failed = False
    for root in roots:
        crate = Crate(root)
        graph = {module: crate.imports(module) for module in crate.files}
        for group in components(graph):
            failed = True
            print(f"these files import each other in a circle: {', '.join(str(crate.files[one]) for one in group)}")
            for one in group:
                for other in sorted(set(graph[one]) & set(group)):
                    names = ", ".join(sorted(graph[one][other]))
                    print(f"    {crate.files[one]} uses {names} of {crate.files[other]}")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
