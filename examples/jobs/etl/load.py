"""Loads the orders of a shop into a database. All of them or none, and again if need be: a
job that is tried again, or resumed, runs at least once, so loading twice is to change nothing."""
import json, sqlite3, sys

path, shop = sys.argv[1:]
orders = [json.loads(line) for line in sys.stdin]
db = sqlite3.connect(path)
with db:
    db.execute("create table if not exists orders (id text primary key, shop text, product text, total real)")
    db.execute("delete from orders where shop = ?", (shop,))
    db.executemany("insert into orders values (?, ?, ?, ?)",
                   [(o["id"], shop, o["product"], o["total"]) for o in orders])
print(f"{shop}: {len(orders)} orders")
