# SPDX-License-Identifier: MIT
"""What the guest sees as files: the initramfs it boots with and the payload a
run brings in. Both come out byte for byte the same for the same contents."""

import io
import os
import re
import subprocess
import tarfile

SECTOR = 512


def cpio(tree):
    """A newc archive of {path: (mode, bytes)}."""
    out = bytearray()
    for inode, (name, (mode, data)) in enumerate(
            [*sorted(tree.items()), ("TRAILER!!!", (0, b""))], 1):
        fields = (inode, mode, 0, 0, 1, 0, len(data), 0, 0, 0, 0, len(name) + 1, 0)
        out += b"070701" + b"".join(b"%08X" % f for f in fields)
        out += name.encode() + b"\0"
        out += bytes(-len(out) % 4) + data
        out += bytes(-len(out) % 4)
    return bytes(out) + bytes(-len(out) % SECTOR)


def initramfs(files):
    """files: {path in the guest: path on the host}. All become executable."""
    tree = {"dev": (0o40755, b""), "dev/console": (0o20600, b"")}
    for name, source in files.items():
        for parent in parents(name):
            tree[parent] = (0o40755, b"")
        with open(source, "rb") as f:
            tree[name] = (0o100755, f.read())
    return cpio(tree)


def parents(name):
    parts = name.split("/")[:-1]
    return ["/".join(parts[:i + 1]) for i in range(len(parts))]


def shared_libraries(path):
    """The libraries an executable needs on this host, loader included."""
    with open(path, "rb") as f:
        if f.read(4) != b"\x7fELF":
            return []
    listing = subprocess.run(["ldd", path], capture_output=True, text=True).stdout
    return re.findall(r"(?:^|=>)\s*(/\S+) \(0x", listing, re.MULTILINE)


def payload(directory):
    """A tar of directory as /payload, with the libraries its executables need."""
    libraries = set()
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w", format=tarfile.GNU_FORMAT,
                      dereference=True) as tar:
        def add(source, name):
            entry = tar.gettarinfo(source, name)
            entry.mtime = entry.uid = entry.gid = 0
            entry.uname = entry.gname = ""
            if entry.isfile():
                with open(source, "rb") as f:
                    tar.addfile(entry, f)
            else:
                tar.addfile(entry)

        for folder, folders, names in os.walk(directory, followlinks=True):
            folders.sort()
            for name in sorted(folders + names):
                source = os.path.join(folder, name)
                add(source, "payload/" + os.path.relpath(source, directory))
                if os.path.isfile(source) and os.access(source, os.X_OK):
                    libraries.update(shared_libraries(source))
        for library in sorted(libraries):
            add(library, library.lstrip("/"))
    return out.getvalue()
