#!/bin/bash
# Trains on all hosts of a TPU VM slice, which is there and has this package installed (see docs/machines.md).
#   NAME=mine ZONE=us-central2-b bash launch/tpu_vm.sh --config=paper/semi --workdir=/shared/runs/semi
# --workdir lies on a disk that is mounted on all hosts. JAX finds its peers by the slice's metadata.

set -euo pipefail

: "${NAME:?name of the slice}" "${ZONE:?its zone}"
flags=$(printf ' %q' "$@")
exec gcloud compute tpus tpu-vm ssh "$NAME" --zone="$ZONE" --worker=all \
    --command="${PYTHON:-python3} -m sde_seg_jax.cli.train$flags --coordinator=auto"
