# SPDX-License-Identifier: MIT
"""What the documents say of the code, held against the code. Each check takes a
Tree and gives sentences about what is wrong; none means that all is right."""

import re

CODE = re.compile(r"`([^`]+)`")
FENCE = re.compile(r"^```.*?^```$", re.MULTILINE | re.DOTALL)
PARTS = "agent|cmake|configs|contrib|docs|driver|ept|include|monitor|policy|tests|tools"


class Tree:
    """Texts of a source tree by their names below root."""

    def __init__(self, root):
        self.root = root

    def text(self, name):
        return (self.root / name).read_text()

    def documents(self):
        """(name, text) of every document."""
        for path in sorted([*self.root.glob("*.md"), *self.root.glob("docs/*.md")]):
            yield str(path.relative_to(self.root)), path.read_text()

    def sources(self, *suffixes):
        for part in PARTS.split("|"):
            for path in sorted((self.root / part).rglob("*")):
                if path.suffix in suffixes and path.is_file():
                    yield path


def hypercalls(header):
    """{name: number as a document writes it}, from the enum."""
    body = re.search(r"enum rw_hypercall \{(.*?)\n\};", header, re.DOTALL)[1]
    base = int(re.search(r"#define RW_HC_BASE (0x[0-9a-f]+)", header)[1], 16)
    names = re.findall(r"^\t(RW_HC_\w+)", body, re.MULTILINE)
    return {name: f"{base + i:#x}" for i, name in enumerate(names) if name != "RW_HC_END"}


def ioctls(header):
    return dict(re.findall(r"^#define (RW_IOC_\w+)\s+_IO\w*\('R', (\d+)", header,
                           re.MULTILINE))


def errors(table):
    """{name: (number, exit code, text)}, from error.def."""
    rows = re.findall(r'^RW_ERROR\((\w+), (\d+), (\d+),\s*"(.+)"\)$', table, re.MULTILINE)
    return {"RW_" + name: tuple(cells) for name, *cells in rows}


def rows(document):
    """{first cell, if it is one word of code: the other cells}, of all tables."""
    found = {}
    for line in document.splitlines():
        cells = [cell.strip() for cell in re.split(r"(?<!\\)\|", line)[1:-1]]
        if cells and re.fullmatch(r"`\w+`", cells[0]):
            found[cells[0].strip("`")] = cells[1:]
    return found


def calls_documented(tree):
    """Every hypercall and ioctl has a row with its number and its errors, every
    error a row that says what error.def says."""
    table, wrong = rows(tree.text("docs/abi.md")), []
    calls = {**hypercalls(tree.text("include/ringwall/hypercall.h")),
             **ioctls(tree.text("include/ringwall/ioctl.h"))}
    for name, number in calls.items():
        cells = table.get(name)
        if not cells:
            wrong.append(f"docs/abi.md has no row for {name}")
        elif cells[0] != number:
            wrong.append(f"docs/abi.md: the number of {name} is {number}, not {cells[0]}")
        elif not cells[-1]:
            wrong.append(f"docs/abi.md: the row of {name} names no errors")
    for name, cells in errors(tree.text("include/ringwall/error.def")).items():
        if tuple(table.get(name, ())) != cells:
            wrong.append(f"docs/abi.md: the row of {name} is not: {' | '.join(cells)}")
    return wrong


def names_exist(tree):
    """Every RW_ name and every setting in a document is one of the code's."""
    code = "".join(p.read_text() for p in tree.sources(".h", ".c", ".S"))
    known = set(re.findall(r"\bRW_\w+", code))
    known |= set(errors(tree.text("include/ringwall/error.def")))
    known |= {"RW_EVENT_" + kind for kind in re.findall(r"^\tX\((\w+),", code, re.MULTILINE)}
    known |= {"RINGWALL_BUILD"}
    known |= set(re.findall(r"RINGWALL_\w+", tree.text("CMakeLists.txt")))
    settings = symbols(tree.text("Kconfig"))
    known |= {*settings, *("CONFIG_" + name for name in settings)}
    wrong = []
    for name, text in tree.documents():
        for word in re.findall(r"(?<![\w/])(?:RW_|RINGWALL_|CONFIG_RINGWALL_)[A-Z0-9_]+\b(?!\*)",
                               text):
            if word not in known:
                wrong.append(f"{name}: there is no {word}")
    return wrong


def anchors(text):
    """The anchors of a document's headings."""
    headings = re.findall(r"^#+ (.+)$", FENCE.sub("", text), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", h.lower()).replace(" ", "-") for h in headings}


def links_resolve(tree):
    """Every relative link leads to a file, and to a heading of it."""
    wrong = []
    for name, text in tree.documents():
        for target in re.findall(r"\]\(([^)\s]+)\)", FENCE.sub("", text)):
            if re.match(r"[a-z]+:", target):
                continue
            path, _, anchor = target.partition("#")
            place = (tree.root / name).parent / path if path else tree.root / name
            if not place.exists():
                wrong.append(f"{name}: {target} leads nowhere")
            elif anchor and anchor not in anchors(place.read_text()):
                wrong.append(f"{name}: {target}: no such heading")
    return wrong


def code(text):
    """What a document shows as code: spans, and lines of blocks."""
    for block in FENCE.findall(text):
        yield from block.splitlines()[1:-1]
    yield from CODE.findall(FENCE.sub("", text))


def commands(tree):
    """{command of ringwall: its verbs, empty if it has none}."""
    found = {}
    table = tree.text("agent/cli/ringwall.c")
    for noun, verb in re.findall(r'^\t\{ "([a-z-]+)", (?:"([a-z-]+)"|NULL)', table,
                                 re.MULTILINE):
        found.setdefault(noun, set()).update({verb} - {""})
    found["policy"] |= set(re.findall(r'^\t\{ "([a-z]+)",', tree.text("agent/policy/commands.c"),
                                      re.MULTILINE))
    return found


def commands_exist(tree):
    """Every command of ringwall, every tool and every scenario that a document
    names is there."""
    known, wrong = commands(tree), []
    scenarios = {p.name for p in (tree.root / "tests/scenarios").iterdir()}
    tests = scenarios | {"unit", "fuzz", "static", "debug", "all", "NAME"}
    for name, text in tree.documents():
        for line in code(text):
            line = re.sub(r"\s*#.*| -[a-z-]+$", "", line).strip()
            words = re.sub(r"^tools/test -\w+$", "", line).split()
            if words[:1] == ["ringwall"] and len(words) > 1:
                verbs = known.get(words[1])
                if verbs is None or verbs and len(words) > 2 and words[2] not in verbs:
                    wrong.append(f"{name}: there is no command '{' '.join(words[:3])}'")
            elif words[:1] == ["tools/test"]:
                wrong += [f"{name}: tools/test knows no '{word}'" for word in words[1:]
                          if word.split("@")[0] not in tests]
    return wrong


def paths_exist(tree):
    """Every path of the source tree in a document is there. NAME, PART and so on
    stand for something, as does what comes from a build."""
    wrong = []
    for name, text in tree.documents():
        for line in code(text):
            for path in re.findall(rf"(?<![\w./$-])((?:{PARTS})/[\w./*-]*)", line):
                if re.search(r"[A-Z]{2,}(?![a-z])", path) or path.endswith((".ko", ".elf", ".rwp")):
                    continue
                if not list(tree.root.glob(path.rstrip("./"))):
                    wrong.append(f"{name}: there is no {path}")
    return wrong


def symbols(kconfig):
    """{symbol: its entry}."""
    entries = re.split(r"^(?:menu)?config +(\w+)$", kconfig, flags=re.MULTILINE)
    return dict(zip(entries[1::2], entries[2::2]))


def settings_explained(tree):
    """Every symbol of Kconfig has a help text, and something reads it."""
    wrong = []
    readers = "".join(p.read_text() for p in tree.sources(".c", ".h", ".S", ".txt"))
    for name, entry in symbols(tree.text("Kconfig")).items():
        if not re.search(r"^\thelp\n\t  \S", entry, re.MULTILINE):
            wrong.append(f"Kconfig: {name} has no help")
        if not re.search(rf"\bCONFIG_{name}\b", readers):
            wrong.append(f"Kconfig: nothing reads {name}")
    return wrong


CHECKS = {
    "every call and error of the ABI is documented": calls_documented,
    "every name in the documents exists": names_exist,
    "every link of the documents resolves": links_resolve,
    "every command in the documents exists": commands_exist,
    "every path in the documents exists": paths_exist,
    "every Kconfig symbol has help and is read": settings_explained,
}
