"""Prints what each shop has sold."""
import sqlite3, sys

db = sqlite3.connect(sys.argv[1])
for shop, orders, total in db.execute("select shop, count(*), sum(total) from orders group by shop order by shop"):
    print(f"{shop}: {orders} orders for {total:.2f}")
