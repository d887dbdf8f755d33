"""Makes orders of a shop, CSV on stdin, lines of JSON; leaves out what cannot be right."""
import csv, json, sys

shop = sys.argv[1]
for order in csv.DictReader(sys.stdin):
    if not order["units"]:
        print(f"{shop}: order {order['order']} is of nothing", file=sys.stderr)
        continue
    total = int(order["units"]) * float(order["price"])
    print(json.dumps({"id": order["order"], "product": order["product"], "total": total}))
