"""Prints a file of $MIRROR. Exit code 75: the server is busy, or not there; 69: there is no such file."""
import os, sys, urllib.error, urllib.parse, urllib.request

url = os.environ["MIRROR"] + "/" + urllib.parse.quote(sys.argv[1])
try:
    with urllib.request.urlopen(url, timeout=5) as answer:
        body = answer.read()              # the whole: a connection that breaks is no success
except urllib.error.HTTPError as e:
    print(f"{url}: {e}", file=sys.stderr)
    sys.exit(75 if e.code in (429, 503) else 69)
except OSError as e:
    print(f"{url}: {e}", file=sys.stderr)
    sys.exit(75)
sys.stdout.buffer.write(body)
