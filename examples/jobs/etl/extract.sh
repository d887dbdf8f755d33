#!/bin/sh
# Prints the orders of a shop. Shops are far away: the one in the south is busy at
# first, which is exit code 75 (EX_TEMPFAIL), and the one in the west is closed.
shop=$1
if [ "$shop" = south ] && [ "$ATTEMPT" -lt 3 ]; then
	echo "$shop is busy" >&2
	exit 75
fi
if [ ! -f "data/$shop.csv" ]; then
	echo "$shop is closed" >&2
	exit 69
fi
cat "data/$shop.csv"
