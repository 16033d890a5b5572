"""Have the server run Python: client.py SOCKET PYTHON ARGUMENTS. It imports little, since it runs each time."""

import array
import json
import os
import sys
from _signal import SIG_DFL, SIGINT, SIGTERM, signal
from _socket import AF_UNIX, SCM_RIGHTS, SOL_SOCKET, socket

address, python, *arguments = sys.argv[1:]
if not arguments or (arguments[0] not in ("-c", "-m", "-u", "-W") and arguments[0].startswith("-")):
    os.execv(python, [python, *arguments])
files = []
for name in os.listdir("/proc/self/fd"):
    try:
        os.fstat(int(name))
    except OSError:
        # That of the list itself, which is closed by now.
        continue
    files.append(int(name))
server = socket(AF_UNIX)
server.connect(address)
request = json.dumps([os.getpid(), arguments, os.getcwd(), dict(os.environ), files]).encode() + b"\n"
sent = server.sendmsg([request], [(SOL_SOCKET, SCM_RIGHTS, array.array("i", files))])
server.sendall(request[sent:])
for file in files[3:]:
    os.close(file)
fork = int(server.recv(8))


def pass_on(number, _):
    """Have the fork get a signal that this process got."""
    try:
        os.kill(fork, number)
    except ProcessLookupError:
        return


for number in (SIGINT, SIGTERM):
    signal(number, pass_on)
code = int(server.recv(16))
if code < 0:
    if -code in (SIGINT, SIGTERM):
        signal(-code, SIG_DFL)
    os.kill(os.getpid(), -code)
os._exit(code)
