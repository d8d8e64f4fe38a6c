"""Back-ends and front-ends as scripts: each adds its pid to the file `pids` and uses the socket that it is given."""

START = """
import os, signal, socket, struct, sys, time
def note():
    with open("pids", "a") as pids:
        print(os.getpid(), file=pids)
note()
"""
LISTEN = """
listening = socket.socket(socket.AF_UNIX)
listening.bind(sys.argv[1])
listening.listen()
peer = listening.accept()[0]
"""
CONNECT = """
peer = socket.socket(socket.AF_UNIX)
while peer.connect_ex(sys.argv[1]):
    time.sleep(0.01)
"""
# Replies to GET_FEATURES with VERSION_1 and the bits in MORE.
ANSWER = """
while peer.recv(12):
    peer.sendall(struct.pack("<IIIQ", 1, 5, 8, 1 << 32 | MORE))
"""
AS_RECORDED = START + LISTEN + "MORE = 0\n" + ANSWER
OTHER_FEATURES = START + LISTEN + "MORE = 1 << 28\n" + ANSWER
HANGS = START + LISTEN + "time.sleep(600)"
CLOSES = START + LISTEN + "print('assertion failed', flush=True); peer.close(); sys.exit(3)"
GARBAGE = START + LISTEN + "peer.sendall(b'\\xff' * 64); time.sleep(600)"
EXITS = START + "print('no such image'); sys.exit(1)"
CRASHES_AT_THE_END = AS_RECORDED + "os.kill(os.getpid(), signal.SIGSEGV)"
IGNORES_SIGTERM = (
    AS_RECORDED.replace(LISTEN, "signal.signal(signal.SIGTERM, signal.SIG_IGN)\n" + LISTEN) + "time.sleep(600)"
)
LEAVES_CHILDREN = (
    START
    + """
for leave in (False, True):
    if os.fork() == 0:
        if leave:
            os.setsid()
        note()
        time.sleep(600)
        os._exit(0)
while len(open("pids").readlines()) < 3:
    time.sleep(0.01)
"""
    + LISTEN
    + "MORE = 0\n"
    + ANSWER
)

FRONT_END = START + CONNECT + "peer.sendall(struct.pack('<III', 1, 1, 0)); peer.recv(20); peer.close()"
FRONT_END_THAT_FAILS = START + "print('no kernel'); sys.exit(4)"
