"""Makes seeds for `harness.c` of conversations: python3 seeds.py FOLDER CONVERSATION.vu ..."""

import sys
from pathlib import Path

import vudissect

folder = Path(sys.argv[1])
folder.mkdir(parents=True, exist_ok=True)
for file in map(Path, sys.argv[2:]):
    seed = b""
    for record in vudissect.compose(file.read_text()).records:
        if record.kind is vudissect.RecordKind.CONNECTION_CLOSED:
            break  # a harness has one connection
        if (record.channel, record.sender) == (vudissect.Channel.MAIN, vudissect.Side.FRONT_END) and record.data:
            kinds = "".join(each.kind.label[0] for each in record.descriptors)
            seed += bytes([len(kinds)]) + kinds.encode() + record.data
    (folder / file.stem).write_bytes(seed)
