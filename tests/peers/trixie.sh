#!/bin/sh
# Makes a tree of Debian trixie with the peers that packages-trixie.txt lists, unless it is there already, and prints
# where: $VUDISSECT_TRIXIE, or vudissect/trixie among the user's caches. About two minutes, 200 MB from the mirror that
# apt uses here, 1.5 GB of disk.
set -eu

here=$(dirname "$0")
tree=${VUDISSECT_TRIXIE:-${XDG_CACHE_HOME:-$HOME/.cache}/vudissect/trixie}
packages=$(tr '\n' ' ' <"$here/packages-trixie.txt")
stamp=$tree/vudissect-packages

if [ "$(cat "$stamp" 2>/dev/null)" = "$packages" ]; then
    echo "$tree"
    exit 0
fi

as_root=
if [ "$(id -u)" != 0 ]; then
    as_root="sudo -n --preserve-env=http_proxy,https_proxy"
    $as_root true || { echo "The tree $tree can be made by root only: sudo sh $0" >&2; exit 1; }
fi
sh "$here/../packages.sh" debootstrap

mirror=$(apt-get indextargets --format '$(REPO_URI)' 'Created-By: Packages' 'Label: Debian' | head -n 1)
[ -n "$mirror" ] || { echo "apt knows no mirror of Debian here, so there is nowhere to get $tree from" >&2; exit 1; }
proxy=
eval "$(apt-config shell proxy Acquire::http::Proxy)"
[ -z "$proxy" ] || export http_proxy="$proxy"

echo "making $tree from $mirror" >&2
mkdir -p "$(dirname "$tree")"
if [ ! -d "$tree" ]; then
    $as_root rm -rf --one-file-system "$tree.part"
    $as_root debootstrap --variant=minbase --include=ca-certificates trixie "$tree.part" "$mirror" >&2
    $as_root mv "$tree.part" "$tree"
fi
# No service is started, and no initial file system made for a kernel that boots in guests only.
printf '#!/bin/sh\nexit 101\n' | $as_root tee "$tree/usr/sbin/policy-rc.d" >/dev/null
$as_root chmod +x "$tree/usr/sbin/policy-rc.d"
# shellcheck disable=SC2086 # one word a package
$as_root env DEBIAN_FRONTEND=noninteractive INITRD=No chroot "$tree" sh -euc '
    apt-get update -qq
    apt-get install -qq --yes --no-install-recommends "$@"
    apt-get clean' sh $packages >/dev/null
printf '%s' "$packages" | $as_root tee "$stamp" >/dev/null
echo "$tree"
