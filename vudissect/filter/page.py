"""The page about the filter language, for `docs/filters.md` and the help; its tables are generated from the keys."""

from collections.abc import Iterator

from vudissect.filter.keys import KEYS, THINGS

_BEGINNING = """\
# Filters

A filter selects messages. The same language is used everywhere, after `--filter` or `-Y`:

| command | effect of the filter |
|---|---|
| `vudissect show -Y FILTER FILE` | shows only what matches |
| `vudissect lint -Y FILTER FILE...` | reports only findings about messages that match; they determine the exit status |
| `vudissect state -Y FILTER FILE` | prints the state after the first frame that matches |
| the filter of a page of [`vudissect report`](report.md) | shows only what matches in the diagram |
| `vuproxy --filter FILTER ...` | shows only what matches in the live transcript; everything is recorded |
| `vudissect.compile_filter("FILTER")` | the same in Python: a function of an event and its findings |

Put it in single quotes, because `*`, `!`, `<` and `>` are special in shells. `vudissect filters` and `--filter help`
print this page. If nothing matches, a line on standard error reports it, with what the capture has instead (`no message
matches ring=9; rings seen: 0, 1`), and the exit status does not change, except for `state`, which then has no point in
time and exits with status 2.

## Examples

| filter | matches |
|---|---|
| `SET_VRING_*` | the messages that set up a ring, and the answers to them |
| `!IOTLB_MSG` | everything except IOTLB messages |
| `SET_SLAVE_REQ_FD` | a message by its old name |
| `ring=1` | messages for ring 1 |
| `SET_VRING_* and ring=1` | the set-up of ring 1 |
| `vring.num>=256` | messages with a ring size or position of 256 or more |
| `SET_MEM_TABLE.regions.size>=128M` | memory tables with a region of 128 MiB or more |
| `SET_FEATURES and features=VERSION_1` | acknowledgements of a feature |
| `iotlb.type=MISS or iotlb.perm=RW` | fields by the names of their values |
| `kind=reply and latency>100us` | replies that took more than 100 microseconds |
| `has:fd and not (SET_VRING_CALL or SET_VRING_KICK)` | messages with descriptors, except those for notifications |
| `has:finding` | messages that break a rule |
| `severity>=warning` | findings that matter |
| `rule=VU-STA or rule=enabled-early` | findings of a family of rules, or of one rule by name |
| `has:finding and not blame=back-end` | findings that do not blame the back-end |
| `channel=backend and from=slave` | requests of the back-end on its own channel |
| `connection=1 and frame>=30 and elapsed<2.5s` | a part of the capture |
| `kind=event` | events of the proxy: connections and channels that open and close, gaps, notes |

## Messages

A message is given by its name, an old name, a pattern (`SET_VRING_*`, `*_CONFIG*`), or its number. Case does not
matter, and the prefix `VHOST_USER_` is optional. The names of all dialects are known (`vudissect messages`,
`vudissect dialects`); a number may be one that is not in any table. A name matches the request and its answers.

## Comparisons

`NAME=VALUE`, or `!=`, `<`, `<=`, `>`, `>=` instead of `=`. A comparison can be true only for a message that has the
value. If there are several values, such as the regions of a memory table or several findings, one of them has to
match. `!=` is true if there are values and none of them is equal. So `ring!=1` matches messages for another ring, and
`not ring=1` also messages that are not for a ring.

| name | value |
|---|---|
"""

_MIDDLE = """
Every other name is a field of the payload, named as in `vudissect messages NAME` and in [JSON](json.md): `num`, or
`regions.size` in an array, where `size` is enough. With a prefix that is a message, or a word of its name or of its
payload's name, it is a field of only those messages: `SET_VRING_NUM.num`, `SET_VRING_*.num`, `vring.num`.

A number is decimal or hexadecimal (`0x1000`), optionally with K, M, G or T for sizes (`256M`, powers of 1024). A
duration has a unit: `ns`, `us`, `ms` or `s`. If a field has names for its values, they can be compared with `=` and
`!=` (`perm=RW`). A field of features or other bits equals the name of each bit that is set. Bytes are compared as
text: MAC addresses and UUIDs in their usual form, others in hexadecimal. Key material cannot be compared.

## What a message has

| name | true if |
|---|---|
"""

_END = """
## Combining

Use `not` (or `!`), `and`, `or`, and parentheses; `not` binds tightest, then `and`, then `or`. Case does not matter.

At the end of a capture, each connection that is still open is treated as if it were closed there: findings about the
end match by rule, severity, blame and connection, but not by message.

`show` has options for the most common cases, which are combined with the filter by `and`: `-m NAME`, `--ring N`,
`--channel NAME`, `--from SIDE`. An error has the column and a suggestion:

    column 1: unknown message SET_VRNIG_NUM; did you mean SET_VRING_NUM?
"""


def filters_page() -> Iterator[str]:
    """The page, line by line."""
    yield from _BEGINNING.splitlines()
    yield from (f"| `{name}` | {key.meaning} |" for name, key in KEYS.items())
    yield from _MIDDLE.splitlines()
    yield from (f"| `has:{name}` | {thing.meaning} |" for name, thing in THINGS.items())
    yield from _END.splitlines()
