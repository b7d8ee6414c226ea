#!/bin/sh
# need.sh: make sure that Debian packages are installed; install the missing ones.
#
#   tools/need.sh PACKAGE...
#
# Prints nothing when all are there. Uses apt-get as root, or through sudo. Exits 1 with the one command to run
# by hand where neither works. EMMA_NO_INSTALL=1 forbids installing: the missing packages are only named.
set -eu

case ${1:--} in
-*) echo "usage: tools/need.sh PACKAGE..." >&2; exit 2 ;;
esac

missing=
for package in "$@"; do
    status=$(dpkg-query -W -f '${db:Status-Status}' "$package" 2>/dev/null || true)
    [ "$status" = installed ] || missing="$missing $package"
done
[ -n "$missing" ] || exit 0

fail() {
    echo "need.sh: not installed:$missing" >&2
    echo "need.sh: run: apt-get install --no-install-recommends$missing" >&2
    exit 1
}

[ -z "${EMMA_NO_INSTALL:-}" ] || fail
if [ "$(id -u)" = 0 ]; then
    as_root=
elif command -v sudo >/dev/null 2>&1; then
    as_root=sudo
else
    fail
fi

echo "need.sh: installing:$missing" >&2
log=$(mktemp)
trap 'rm -f "$log"' EXIT
install() {
    # shellcheck disable=SC2086  # a list of words is meant
    DEBIAN_FRONTEND=noninteractive $as_root apt-get install -y --no-install-recommends -o DPkg::Lock::Timeout=300 $missing >"$log" 2>&1
}
install || { $as_root apt-get update >"$log" 2>&1 && install; } || { tail -n 5 "$log" >&2; fail; }
