#!/bin/sh
# Runs a list, edits it, and goes on.
rm -rf out .supervisor && mkdir out
printf '%s\n' apple pear 'broken plum' >out/items.txt
echo '== all of them'
supervisor run -k

echo '== one mended, two new ones, one gone'
printf '%s\n' fig pear plum apricot >out/items.txt
supervisor run -k -resume

echo '== nothing new'
supervisor run -k -resume
