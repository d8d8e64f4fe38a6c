#!/bin/sh
# Installs those Debian packages in the arguments that are missing, as root or with sudo; otherwise lists them.
set -eu

# One at a time: make runs several. What a package starts does not keep the lock.
exec 9<"$0"
flock 9

missing=
for package in "$@"; do
    status=$(dpkg-query -W -f '${db:Status-Status}' "$package" 2>/dev/null) || status=
    [ "$status" = installed ] || missing="$missing $package"
done
[ -n "$missing" ] || exit 0

if [ "$(id -u)" = 0 ]; then
    as_root=
elif sudo -n true 2>/dev/null; then
    as_root=sudo
else
    echo "These Debian packages are missing:$missing" >&2
    echo "Install them with: sudo apt-get install --no-install-recommends$missing" >&2
    exit 1
fi
export DEBIAN_FRONTEND=noninteractive
$as_root apt-get update -qq 9<&-
# shellcheck disable=SC2086 # one word a package
$as_root apt-get install -qq --yes --no-install-recommends $missing >/dev/null 9<&-
