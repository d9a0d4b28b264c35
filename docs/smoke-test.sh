#!/usr/bin/env bash
# A smoke test with mq: does a message get from a publisher to a subscriber, and does the broker keep strangers out?
# It starts a broker of its own on a free port and ends with status 0 if all is well.
set -euo pipefail

dir=$(mktemp -d)
printf 'user heater s3cret\nuser screen t0psecret\nread home/#\n' > "$dir/users"

# The broker prints its address on one line when it is ready.
mkfifo "$dir/ready"
mq broker --port 0 --users "$dir/users" > "$dir/ready" & broker=$!
trap 'kill "$broker"; rm -r "$dir"' EXIT
read -r url < "$dir/ready"

# Wait for one message, five seconds at most: exit status 0 is a message, 27 is none.
MQ_PASSWORD=t0psecret mq sub -L "$url" -u screen -t home/heater -q 1 -C 1 -W 5 > "$dir/got" & sub=$!

# The retained flag makes it irrelevant whether the subscriber or the publisher is first.
MQ_PASSWORD=s3cret mq pub -L "$url" -u heater -t home/heater -q 1 -r -m 21.5

wait "$sub"
[ "$(cat "$dir/got")" = 21.5 ] || { echo "FAIL: got '$(cat "$dir/got")'" >&2; exit 1; }

# A stranger is refused: exit status 4.
status=0
mq pub -L "$url" -t home/heater -m 99 2> "$dir/err" || status=$?
[ "$status" = 4 ] || { echo "FAIL: a stranger got status $status" >&2; exit 1; }

echo "smoke test passed"
