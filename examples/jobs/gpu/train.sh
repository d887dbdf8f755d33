#!/bin/sh
# Stands for a training. It fails where a GPU is in use, to show that none is.
mkdir -p out
for gpu in $(echo "$CUDA_VISIBLE_DEVICES" | tr , ' '); do
	mkdir "out/gpu$gpu.busy" || exit 1
done
sleep 0.05
for gpu in $(echo "$CUDA_VISIBLE_DEVICES" | tr , ' '); do
	rmdir "out/gpu$gpu.busy"
done
echo "trained $1"
