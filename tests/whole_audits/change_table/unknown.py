"""Changes of what no record of training can show, so that models aren't cached and a note says why."""

from change_table.repository import trained

DEPTH = {"depth.txt": "<2|5>"}
OTHER = "process|program"
READ = "def read():\n    return open('depth.txt').read()\n"

CHANGES = {
    "a file that another program reads": trained(
        "subprocess.run(['cat', 'depth.txt'], capture_output=True).stdout",
        "import subprocess",
        files=DEPTH,
        thing=OTHER,
    ),
    "a file that a shell reads": trained("os.popen('cat depth.txt').read()", files=DEPTH, thing=OTHER),
    "a file that a worker reads": trained(
        "multiprocessing.get_context('fork').Pool(1).apply(read)",
        "import multiprocessing\n\n" + READ,
        files=DEPTH,
        thing=OTHER,
    ),
    "what a socket receives": trained(
        "received()",
        """
        import socket, threading

        def serve(listener, text):
            while True:
                connection = listener.accept()[0]
                connection.sendall(text)
                connection.close()

        listener = socket.socket(socket.AF_UNIX)
        pathlib.Path("socket").unlink(missing_ok=True)
        listener.bind("socket")
        listener.listen()
        text = open("depth.txt", "rb").read()
        threading.Thread(target=serve, args=(listener, text), daemon=True).start()

        def received():
            with socket.socket(socket.AF_UNIX) as connection:
                connection.connect("socket")
                return connection.recv(9)
        """,
        files=DEPTH,
        thing="socket|network|connect",
    ),
    "a generator": trained(
        "STREAM.send(None)", "STREAM = (int(open('depth.txt').read()) for _ in range(99))", files=DEPTH, thing="STREAM"
    ),
    "an open connection in a closure": trained(
        "ask()",
        """
        import sqlite3

        def asking(text):
            connection = sqlite3.connect(":memory:", check_same_thread=False)
            return lambda: connection.execute("select " + text).fetchone()[0]

        ask = asking(open("depth.txt").read())
        """,
        files=DEPTH,
        thing="connection",
    ),
}
VARIANTS = {
    "a file that a spawned program reads": trained(
        "spawned()",
        """
        def spawned():
            reader, writer = os.pipe()
            actions = [(os.POSIX_SPAWN_DUP2, writer, 1)]
            os.waitpid(os.posix_spawn("/bin/cat", ["cat", "depth.txt"], os.environ, file_actions=actions), 0)
            return os.read(reader, 9)
        """,
        files=DEPTH,
        thing=OTHER,
    ),
    "a file that a fork reads": trained(
        "forked()",
        """
        def forked():
            child = os.fork()
            if child == 0:
                os._exit(int(open("depth.txt").read()))
            return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
        """,
        files=DEPTH,
        thing=OTHER,
    ),
    "a variable that another program reads": trained(
        "subprocess.run('echo $MODEL_DEPTH', shell=True, capture_output=True).stdout",
        "import subprocess",
        environment={"MODEL_DEPTH": "<2|5>"},
        thing=OTHER,
    ),
    "an open connection": trained(
        "CONNECTION.execute('select depth from depths').fetchone()[0]",
        """
        import sqlite3

        CONNECTION = sqlite3.connect(":memory:", check_same_thread=False)
        CONNECTION.execute("create table depths (depth)")
        CONNECTION.execute("insert into depths values (?)", open("depth.txt").read())
        """,
        files=DEPTH,
        thing="CONNECTION",
    ),
    "an open file in a closure": trained(
        "ask()",
        """
        def asking(file):
            return lambda: (file.seek(0), file.read())[1]

        ask = asking(open("depth.txt"))
        """,
        files=DEPTH,
        thing="file",
    ),
    "an open database of another kind": trained(
        "BASE['depth']",
        "import dbm.dumb\nBASE = dbm.dumb.open('base', 'n')\nBASE['depth'] = open('depth.txt').read()",
        files=DEPTH,
        thing="BASE",
    ),
    "a queue": trained(
        "QUEUE.queue[0]",
        "import queue\nQUEUE = queue.Queue()\nQUEUE.put(open('depth.txt').read())",
        files=DEPTH,
        thing="QUEUE",
    ),
    "memory that is shared": trained(
        "MEMORY[0]",
        "import mmap\nMEMORY = mmap.mmap(-1, 1)\nMEMORY[0] = int(open('depth.txt').read())",
        files=DEPTH,
        thing="MEMORY",
    ),
}
