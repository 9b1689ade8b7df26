#!/bin/bash
# Runs a command on a machine that may vanish: its workdir is fetched from a bucket first and sent there now and then.
#   bash launch/spot.sh gs://bucket/runs/semi runs/semi python -m sde_seg_jax.cli.train --config=paper/semi --workdir=runs/semi
# SYNC copies a folder into another: SYNC SOURCE TARGET. SYNC_SECONDS: how often.
# Told to stop (SIGTERM), it tells the command, waits until it has saved, and sends the rest. Its exit status is that of
# the command. What was half sent when a machine vanished is left out at the next start: sent.txt names what is whole.

set -uo pipefail

bucket=${1:?bucket folder}; workdir=${2:?local workdir}; shift 2
sync=${SYNC:-gcloud storage rsync --recursive}
every=${SYNC_SECONDS:-300}
list=sent.txt

whole() {  # checkpoints that are finished here: orbax gives them their number when they are
    local step
    for step in "$workdir"/checkpoints/*/; do
        step=$(basename "$step")
        if [[ $step =~ ^[0-9]+$ ]]; then echo "$step"; fi
    done
}

send() {
    local lines
    lines=$(whole)
    $sync "$workdir" "$bucket" || return 1
    mkdir -p "$workdir.sent"
    echo "$lines" > "$workdir.sent/$list"
    $sync "$workdir.sent" "$bucket"
}

fetch() {
    mkdir -p "$workdir"
    if [[ -n $(whole) ]]; then
        echo "going on with $workdir as it is; to take what is in $bucket instead, delete that folder first" >&2
        return
    fi
    if ! $sync "$bucket" "$workdir"; then
        echo "nothing fetched from $bucket: a new run, or the bucket cannot be reached" >&2
    fi
    local step
    for step in $(whole); do
        if ! grep -qx "$step" "$workdir/$list" 2>/dev/null; then
            echo "checkpoint $step was not sent to the end: left out" >&2
            rm -rf "$workdir/checkpoints/${step:?}"
        fi
    done
    rm -f "$workdir/$list"
}

fetch
"$@" &
command=$!
trap 'kill -TERM "$command" 2>/dev/null' TERM INT
waited=0
sender=
while kill -0 "$command" 2>/dev/null; do
    sleep 1 &
    wait $! || true
    waited=$((waited + 1))
    # beside the loop, which has to hear when it is told to stop; one at a time
    if ((waited % every == 0)) && { [[ -z $sender ]] || ! kill -0 "$sender" 2>/dev/null; }; then
        { send || echo "not sent to $bucket; tried again later" >&2; } &
        sender=$!
    fi
done
wait "$command"
status=$?
if [[ -n $sender ]]; then wait "$sender"; fi
if ! send; then
    echo "error: the end of $workdir was not sent to $bucket; send it by hand: $sync $workdir $bucket" >&2
    exit 1
fi
exit "$status"
