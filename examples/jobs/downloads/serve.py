"""Serves the folder mirror on a free port for as long as a command runs: serve.py COMMAND...

The command finds the server by $MIRROR. The server is busy (503) when it is asked for a file
for the first time.
"""
import functools, http.server, os, subprocess, sys, threading

asked = set()

class Mirror(http.server.SimpleHTTPRequestHandler):
    def do_GET(self):
        if self.path not in asked:
            asked.add(self.path)
            self.send_error(503, "busy")
            return
        super().do_GET()

    def log_message(self, *_): pass

handler = functools.partial(Mirror, directory="mirror")
with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
    threading.Thread(target=server.serve_forever, daemon=True).start()
    env = dict(os.environ, MIRROR=f"http://127.0.0.1:{server.server_port}", no_proxy="*")
    code = subprocess.run(sys.argv[1:], env=env).returncode
    server.shutdown()
sys.exit(code)
