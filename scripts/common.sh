# shellcheck shell=bash
# What the scripts share: where things lie, how they speak, and the environment that scripts/setup leaves in build/env.sh.
# To be sourced after `set -euo pipefail`.

LONGBOW_TOP=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd -P)
LONGBOW_ENV_FILE=$LONGBOW_TOP/build/env.sh

say() { printf '%s\n' "$*" >&2; }

# die MESSAGE..: each argument one line.
die() {
    printf 'error: %s\n' "$1" >&2
    shift
    if [ $# -gt 0 ]; then printf '       %s\n' "$@" >&2; fi
    exit 1
}

# The comment at the top of a script is its help.
help_of() { sed -n '2,/^[^#]/{/^#/!d;s/^# \{0,1\}//;p}' "$1"; }

# The cache outside the checkout: LibTorch, nvcc, ccache, downloads, results of lint and fuzzing. Shared by all clones of this user.
cache_dir() {
    local dir=${LONGBOW_CACHE:-}
    if [ -z "$dir" ]; then
        [ -n "${XDG_CACHE_HOME:-}${HOME:-}" ] || die "neither LONGBOW_CACHE, XDG_CACHE_HOME nor HOME is set" \
            "set LONGBOW_CACHE to a folder that can hold about 6 GB"
        dir=${XDG_CACHE_HOME:-$HOME/.cache}/longbow
    fi
    if ! mkdir -p "$dir" 2>/dev/null || [ ! -w "$dir" ]; then
        die "the cache folder $dir cannot be written" "set LONGBOW_CACHE to a folder that you can write and that can hold about 6 GB"
    fi
    (cd "$dir" && pwd -P)
}

# free_mb DIR
free_mb() { df -Pm "$1" | awk 'NR == 2 { print $4 }'; }

# Variables of ccache. The sloppiness makes a precompiled header cacheable; base directory and NOHASHDIR let a second clone hit.
export_ccache() {
    export CCACHE_DIR=${CCACHE_DIR:-$(cache_dir)/ccache}
    export CCACHE_SLOPPINESS=pch_defines,time_macros,include_file_mtime,include_file_ctime
    export CCACHE_BASEDIR=$LONGBOW_TOP CCACHE_NOHASHDIR=1 CCACHE_MAXSIZE=${CCACHE_MAXSIZE:-5G}
}

# Runs set-up (quick when all is there) with the given flags and takes over what it found.
set_up() {
    "$LONGBOW_TOP/scripts/setup" "$@"
    # shellcheck disable=SC1090
    . "$LONGBOW_ENV_FILE"
}
