"""A script that takes the place of an emulator: it starts the emulator with a recorder, or as it is if that fails."""

import shlex

from vudissect import __version__

# The recorder may hang, for example where its folder is on a network file system.
_LONGEST_SECONDS = 10

_SCRIPT = """#!/bin/sh
# {name}, with a recorder for its vhost-user sockets. Written by vuproxy wrap, vudissect {version}.
# This process becomes the emulator. The recorder is another one: if it cannot start, there is only a line in the log.
emulator={emulator}
vuproxy={vuproxy}
config={config}

unrecorded() {{
    printf 'vuproxy: not recorded: %s\\n' "$1" >&2
    shift
    exec "$emulator" "$@"
}}

# Who only asks the emulator for something gets the answer at once, as does a VM without a vhost-user device.
vm={name} found= option=
for word in "$@"; do
    case $word in
    -version | --version | -help | --help | -h | help | '?' | *,help) found= && break ;;
    *vhost-user* | -readconfig | --readconfig) found=yes ;;
    esac
    case $option/$word in
    -machine/none* | --machine/none* | -M/none*) found= && break ;;
    -name/* | --name/*) vm=${{word#guest=}} vm=${{vm%%,*}} ;;
    esac
    option=$word
done
[ "$found" ] || exec "$emulator" "$@"

case $vm in
'' | .* | */*) vm={name} ;;
esac
folder= options=
[ -r "$config" ] || unrecorded "$config cannot be read" "$@"
while IFS= read -r line || [ "$line" ]; do
    case $line in
    '' | '#'*) ;;
    FOLDER=/*) folder=${{line#FOLDER=}} ;;
    OPTIONS=*) options=${{line#OPTIONS=}} ;;
    *) unrecorded "$config: not FOLDER=/PATH or OPTIONS=WORDS: $line" "$@" ;;
    esac
done <"$config"
[ -d "$folder" ] && [ -w "$folder" ] || unrecorded "FOLDER=$folder in $config is not a folder to write to" "$@"
[ -x "$vuproxy" ] || unrecorded "$vuproxy is not there" "$@"

set -f
# shellcheck disable=SC2086 # the options are several words
changed=$(exec timeout {seconds} "$vuproxy" run --beside $$ -w "$folder/$vm.pcapng" $options -- "$emulator" "$@")
case $? in
0) eval "exec $changed" ;;
2) exec "$emulator" "$@" ;; # there is a line of the recorder
*) unrecorded "$vuproxy did not start" "$@" ;;
esac
"""


def wrapper(emulator: str, vuproxy: str, config: str) -> str:
    """The script for an emulator; the paths are those of the machine on which it will run."""
    return _SCRIPT.format(
        name=shlex.quote(emulator.rpartition("/")[2]),
        version=__version__,
        emulator=shlex.quote(emulator),
        vuproxy=shlex.quote(vuproxy),
        config=shlex.quote(config),
        seconds=_LONGEST_SECONDS,
    )
