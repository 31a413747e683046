"""Prints, as JSON, the hosts of the registries that this image's own clients are configured to use.

The allowlist's `@npm`, `@pip` and `@apt` are resolved from it; the clients are asked, so that a company mirror needs no
second edit and no host is named here. No client, no key.
"""

import json
import subprocess
from urllib.parse import urlsplit


def answer(*command):
    """The standard output of a command, or nothing where it fails (pip does, for a setting that nobody made)."""
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, check=False)
    return done.stdout if done.returncode == 0 else ""


def hosts(addresses):
    """The hosts of some web addresses, each once, in the order given."""
    found = [urlsplit(address).hostname for address in addresses]
    return list(dict.fromkeys(host for host in found if host))


def npm():
    return hosts([answer("npm", "config", "get", "registry").strip()])


def pip():
    """The configured index, or pip's built-in one; whoever uses the built-in one needs the host of its files too."""
    from pip._internal.models.index import PyPI

    # `pip config get` of Debian's pip 25.1 does not see a key that `pip config list` shows. The list begins with what
    # the environment says, which wins: reversed, it is written last.
    lines = [line.partition("=") for line in answer("pip", "config", "list").splitlines()]
    settings = {key.rpartition(".")[2]: value.strip("'\"") for key, _, value in reversed(lines)}
    indexes = settings.get("index-url", PyPI.simple_url).split() + settings.get("extra-index-url", "").split()
    found = hosts(indexes)
    return found + [PyPI.file_storage_domain] if PyPI.netloc in found else found


def apt():
    """Where apt would fetch its lists from: each line of the answer starts with an address in quotes."""
    lines = answer("apt-get", "update", "--print-uris").splitlines()
    return hosts(line.split("'")[1] for line in lines if line.startswith("'"))


print(json.dumps({"npm": npm(), "pip": pip(), "apt": apt()}, sort_keys=True))
