# Shared by the shell scripts: where things are kept, and how progress is told.
# shellcheck shell=bash

ROOT=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)

# Downloads that several runs share. CI points this outside its fresh clone.
CACHE=$(realpath -m "${PORTCULLIS_CACHE:-$ROOT/.cache}")

# Tools that this project installs for itself come last: the machine's own win.
export PATH="$PATH:$CACHE/tools/bin"

say() { printf '==> %s\n' "$*" >&2; }

die() {
    printf 'error: %s\n' "$*" >&2
    exit 1
}

have() { command -v "$1" >/dev/null 2>&1; }
