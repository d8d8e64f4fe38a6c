"""The page about the filter language: it is `docs/filters.md` and the help, and its tables are made of the keys."""

from collections.abc import Iterator

from vudissect.filter.keys import KEYS, THINGS

_BEGINNING = """\
# Filters

A filter picks messages. It is the same language wherever it is used, after `--filter` or `-Y`:

| command | what the filter does |
|---|---|
| `vudissect show -Y FILTER FILE` | shows only what matches |
| `vudissect lint -Y FILTER FILE...` | reports only the findings about messages that match, and exits by those |
| `vudissect state -Y FILTER FILE` | prints the state after the first frame that matches |
| `vuproxy --filter FILTER ...` | shows only what matches in the live transcript; everything is recorded |
| `vudissect.compile_filter("FILTER")` | the same in Python: a function of an event and its findings |

Put it in single quotes, as shells have meanings of their own for `*`, `!`, `<` and `>`. `vudissect filters` and
`--filter help` print this page, and it is `docs/filters.md`, too. Where nothing matches, a line on standard error
reports that; the exit status does not change. For `state` there is no such point in time then, and the exit status is
2.

## Examples

| filter | what matches |
|---|---|
| `SET_VRING_*` | the messages that set up a ring, and the answers to them |
| `!IOTLB_MSG` | everything but IOTLB updates |
| `SET_SLAVE_REQ_FD` | a message by its old name |
| `ring=1` | what names ring 1 |
| `SET_VRING_* and ring=1` | how ring 1 is set up |
| `vring.num>=256` | rings that get a size of 256 or more, or a position beyond |
| `SET_MEM_TABLE.regions.size>=128M` | memory tables with a region of 128 MiB or more |
| `SET_FEATURES and features=VERSION_1` | who acknowledges a feature |
| `iotlb.type=MISS or iotlb.perm=RW` | fields by the names of their values |
| `kind=reply and latency>100us` | replies that took more than 100 microseconds |
| `has:fd and not (SET_VRING_CALL or SET_VRING_KICK)` | descriptors, without those for notifications |
| `has:finding` | where a rule is broken |
| `severity>=warning` | where something is wrong that matters |
| `rule=VU-STA or rule=enabled-early` | findings of a family of rules, or of one rule by name |
| `has:finding and not blame=unknown` | where it is known who is to blame |
| `channel=backend and from=slave` | requests of the back-end on its own channel |
| `connection=1 and frame>=30 and elapsed<2.5s` | a part of the capture |
| `kind=event` | what the proxy noted: connections and channels that open and close, gaps, notes |

## Messages

A message is given by its name, by a name that it had before, by a pattern (`SET_VRING_*`, `*_CONFIG*`), or by its
number. Case does not matter, and `VHOST_USER_` may stay in front. Names of all dialects are known (`vudissect
messages`, `vudissect dialects`); a number may be one that is not in any table. A name matches the request and the
answers to it.

## Comparisons

`NAME=VALUE`, and `!=`, `<`, `<=`, `>`, `>=` in place of `=`. A comparison is true of a message that has what is
compared: where there are several, such as the regions of a memory table or several findings, one of them has to
match. `!=` is true where there are some, and none of them is equal. So `ring!=1` matches what names another ring, and
`not ring=1` also what names no ring.

| name | value |
|---|---|
"""

_MIDDLE = """
Every other name is a field of the payload, called as in `vudissect messages NAME` and in [JSON](json.md): `num`, or
`regions.size` in an array, where `size` is enough. With a message before it, or a word of it or of its payload, it
is a field of those messages only: `SET_VRING_NUM.num`, `SET_VRING_*.num`, `vring.num`.

A number is decimal or hexadecimal (`0x1000`), and K, M, G or T after it is for sizes (`256M`, in steps of 1024). A
duration has a unit: `ns`, `us`, `ms` or `s`. Where a field has names for its values, a name can be compared with `=`
and `!=` (`perm=RW`). A feature or another bit is equal to its name where it is set. Bytes are compared as text: MAC
addresses and UUIDs as they are written, others in hexadecimal. Key material cannot be compared.

## What a message has

| name | true if |
|---|---|
"""

_END = """
## Together

`not` or `!` before, `and`, `or`, and parentheses; `not` binds closest, then `and`, then `or`. Words are in any case.

Where a capture ends, each connection that is still open is treated as if it were closed there: findings about the end
match by rule, severity, blame and connection, and not by message.

`show` has options for the most common cases, which are translated to this language and have to match as well: `-m
NAME`, `--ring N`, `--channel NAME`, `--from SIDE`. An error names the column and what was perhaps meant:

    column 1: unknown message SET_VRNIG_NUM; did you mean SET_VRING_NUM?
"""


def filters_page() -> Iterator[str]:
    """The page, line by line."""
    yield from _BEGINNING.splitlines()
    yield from (f"| `{name}` | {key.values} |" for name, key in KEYS.items())
    yield from _MIDDLE.splitlines()
    yield from (f"| `has:{name}` | {thing.meaning} |" for name, thing in THINGS.items())
    yield from _END.splitlines()
