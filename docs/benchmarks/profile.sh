#!/bin/sh
# Where the processors' time goes while events come in over HTTP: engine, collector and senders, and the collector's own
# functions. One run of insert_ratios under perf, of which the part counts in which a collector is at work.
#
#   docs/benchmarks/profile.sh [SECONDS] [FEATURES]      seconds a turn (default 4), features an event (default 50)
#
# Needed: perf, the right to use it (kernel.perf_event_paranoid), and
#   cargo build --release --workspace --bins --examples
set -eu
root=$(cd "$(dirname "$0")/../.." && pwd)
data=$(mktemp)
trap 'rm -f "$data"' EXIT
perf record --quiet --event cpu-clock --freq 997 --all-cpus --output "$data" -- \
    "$root/target/release/examples/insert_ratios" "${1:-4}" 1 "${2:-50}"
began=$(perf script --input "$data" --comms collector --fields time 2>/dev/null | head -n 1 | tr -d ' :')
report() {
    perf report --input "$data" --time "$began," --stdio --percent-limit "$1" --field-separator '|' --sort "$2" "${3---}" "${4---}" \
        2>/dev/null | grep -v '^#' | grep '|' || true
}
echo
echo "share of the processors' time, by the threads' names (the engine's are those not named here)"
report 0.3 comm
echo
echo "of the collector's threads, by where"
report 0.3 dso --comms collector
echo
echo "of the collector's threads, by function"
report 0.4 symbol --comms collector
