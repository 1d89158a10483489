"""Write a .env with fresh secrets.

    python3 docker/secrets_to_env.py .env.example .env

Every `NAME=` without a value in the example gets a random one. An existing .env is never touched.
"""

from __future__ import annotations

import base64
import os
import re
import secrets
import sys
from pathlib import Path


def secret(name: str) -> str:
    """Return a fresh secret of letters, digits, `-` and `_`; Fernet wants 32 bytes and their closing `=`."""
    return base64.urlsafe_b64encode(secrets.token_bytes(32 if "FERNET" in name else 48)).decode()


def fill(example: str) -> str:
    """Return the example with a secret of its own behind each empty `NAME=`."""
    return re.sub(r"^([A-Z_]+)=$", lambda line: f"{line[1]}={secret(line[1])}", example, flags=re.MULTILINE)


def main(example: Path, target: Path) -> None:
    """Write the file for its owner only, or refuse."""
    try:
        descriptor = os.open(target, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode=0o600)
    except FileExistsError:
        sys.exit(f"{target} is there already and stays as it is")
    with os.fdopen(descriptor, "w") as file:
        file.write(fill(example.read_text()))
    print(f"{target}: made with fresh secrets; keep it out of version control")


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
