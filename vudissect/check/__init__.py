"""The conformance suite: conversations with a live program, each of which says what it did and whether it survived.

How the parts work together: `cases` are data, conversations as text (`model.Case`). `play` reads the text line by line
and acts on a `stage`, which has the connections, the descriptors and the memory of one case; lines that are no messages
are `verbs`. `runner` keeps a `program` alive between cases, judges behaviour and fate, and has the recording linted.
That is for back-ends; `front_end` is the half for front-ends.
"""
