"""Unpacks the foreign suites from Debian's source packages into build/conformance/. Nothing of them is committed."""

import pathlib
import shutil
import subprocess

from model import BUILD, need


def version_of(package):
    query = ["dpkg-query", "-W", "-f", "${Version}", package]
    return subprocess.run(query, capture_output=True, text=True, check=True).stdout


def unpack(package, folder, tarball_pattern, *members):
    """The parts named by `members` of the package's tarball, in build/conformance/FOLDER; done once per version."""
    need(package, "xz-utils")
    target = BUILD / folder
    stamp = target / ".version"
    version = f"{version_of(package)} {' '.join(members)}"
    if stamp.is_file() and stamp.read_text() == version:
        return target
    tarballs = sorted(pathlib.Path("/usr/src").glob(tarball_pattern))
    if not tarballs:
        raise SystemExit(f"conformance: package {package} holds no /usr/src/{tarball_pattern}")
    shutil.rmtree(target, ignore_errors=True)
    target.mkdir(parents=True)
    command = ["tar", "-C", target, "--strip-components=1", "--wildcards", "-xf", tarballs[0]]
    subprocess.run([*command, *(f"*/{member}" for member in members)], check=True)
    stamp.write_text(version)
    return target
