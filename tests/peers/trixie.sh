#!/bin/sh
# Makes a tree of Debian trixie with the packages in packages-trixie.txt, unless it exists already, and prints its path:
# $VUDISSECT_TRIXIE, or vudissect/trixie in the user's cache folder. Takes about two minutes, 200 MB from apt's mirror
# and 1.5 GB of disk space.
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
    $as_root true || { echo "only root can make the tree $tree: sudo sh $0" >&2; exit 1; }
fi
sh "$here/../packages.sh" debootstrap

mirror=$(apt-get indextargets --format '$(REPO_URI)' 'Created-By: Packages' 'Label: Debian' | head -n 1)
[ -n "$mirror" ] || { echo "apt has no Debian mirror to make $tree from: add one to its sources" >&2; exit 1; }
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
# Start no services, and make no initramfs: the kernel only boots in guests.
printf '#!/bin/sh\nexit 101\n' | $as_root tee "$tree/usr/sbin/policy-rc.d" >/dev/null
$as_root chmod +x "$tree/usr/sbin/policy-rc.d"
# shellcheck disable=SC2086 # one word a package
$as_root env DEBIAN_FRONTEND=noninteractive INITRD=No chroot "$tree" sh -euc '
    apt-get update -qq
    apt-get install -qq --yes --no-install-recommends "$@"
    apt-get clean' sh $packages >/dev/null
printf '%s' "$packages" | $as_root tee "$stamp" >/dev/null
echo "$tree"
