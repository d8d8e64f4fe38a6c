#!/bin/sh
# Makes the pictures in docs/images: Wireshark 4.0 itself, on a display that nobody sees, with the plugin and the profile.
# Needs the Debian packages wireshark xvfb openbox xdotool imagemagick pngquant fonts-dejavu-core.
set -eu

root=$(cd "$(dirname "$0")/.." && pwd)
folder=$(mktemp -d)
programs=
end() {
    # shellcheck disable=SC2086 # one word a process
    [ -z "$programs" ] || kill $programs 2>/dev/null || :
    sleep 1
    rm -rf "$folder"
}
trap end EXIT

export HOME="$folder" LC_ALL=C.UTF-8 QT_QPA_PLATFORM=xcb
mkdir -p "$HOME/.local/lib/wireshark/plugins" "$HOME/.config/wireshark" "$root/docs/images"
cp "$root/wireshark/vhost_user.lua" "$HOME/.local/lib/wireshark/plugins"
cp -r "$root/wireshark/profiles" "$HOME/.config/wireshark"
cp "$root"/captures/*.pcapng "$folder"

Xvfb -displayfd 3 -screen 0 1280x800x24 3>"$folder/display" 2>/dev/null &
programs=$!
until [ -s "$folder/display" ]; do sleep 0.1; done
DISPLAY=:$(cat "$folder/display")
export DISPLAY
openbox 2>/dev/null &
programs="$! $programs"

# The window with this in its name, in place, once it is there and at rest.
window() {
    found=
    until found=$(xdotool search --onlyvisible --name "$1" | tail -1) && [ -n "$found" ]; do sleep 0.2; done
    xdotool windowsize "$found" "$2" "$3" windowmove "$found" 0 0 windowactivate "$found"
    sleep 3
    echo "$found"
}

# A picture of a window, in few colors.
picture() {
    import -window "$1" "$folder/picture.png"
    pngquant --force --speed 1 --output "$root/docs/images/$2.png" 64 "$folder/picture.png"
}

# Wireshark at a frame of a capture.
wireshark_at() {
    wireshark -C vhost-user -g "$2" "$1.pcapng" 2>/dev/null &
    programs="$! $programs"
    main=$(window "$1" 1280 780)
}

cd "$folder"
wireshark_at qemu-7.2-net-iommu-dpdk-22.11 50
# The last line of the details is the message, the last but one of these its payload.
xdotool mousemove 150 475 click 1 sleep 0.5 key End sleep 0.5 key Right sleep 0.5
xdotool key End sleep 0.5 key Up sleep 0.5 key Right sleep 0.5 key End sleep 1
picture "$main" packets

wireshark_at qemu-7.2-blk-qsd-4-queues 1
# Statistics, Flow Graph.
xdotool key alt+s sleep 1 mousemove 357 456 click 1
picture "$(window Flow 1180 760)" flow
