#!/bin/bash
# Trains on a TPU slice of a GKE cluster by xpk (github.com/AI-Hypercomputer/xpk). JAX finds its peers by itself.
#   CLUSTER=mine TPU=v5litepod-16 IMAGE=REGION-docker.pkg.dev/PROJECT/REPOSITORY/sde_seg_jax:tpu \
#       bash launch/xpk.sh --config=paper/semi --workdir=/shared/runs/semi
# IMAGE is of launch/Dockerfile with VARIANT=tpu; --workdir lies on a disk that is mounted on all nodes.

set -euo pipefail

: "${CLUSTER:?name of the cluster}" "${TPU:?kind of slice, such as v5litepod-16}" "${IMAGE:?container image}"
flags=$(printf ' %q' "$@")
exec xpk workload create --cluster="$CLUSTER" --workload="${WORKLOAD:-sde-seg}" --tpu-type="$TPU" \
    --docker-image="$IMAGE" --max-restarts="${RESTARTS:-20}" \
    --command="python -m sde_seg_jax.cli.train$flags --coordinator=auto"
