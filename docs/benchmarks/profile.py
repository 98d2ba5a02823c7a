#!/usr/bin/env python3
"""Where the processors' time goes while events come in over HTTP: engine, collector and senders, and the collector's own work.

One run of insert_ratios under perf, of which the part counts in which a collector is at work.

    cargo build --release --workspace --bins --examples
    docs/benchmarks/profile.py [SECONDS] [FEATURES]      seconds a turn (default 4), features an event (default 50)

Needed: perf, and the right to use it for all processors (root, or kernel.perf_event_paranoid below 1).
"""

import collections
import pathlib
import re
import subprocess
import sys
import tempfile

EXAMPLE = pathlib.Path(__file__).resolve().parents[2] / "target/release/examples/insert_ratios"

# What the collector's time goes to: the first whose pattern is found in a frame of the stack, innermost first. Frames of the
# kernel come from its stack; of our own code mostly the innermost is known.
WORK = [
    ("the kernel: writing the spool", r"^(vfs_write|ksys_write|do_ftruncate|do_renameat2|vfs_open|do_filp_open)"),
    ("the kernel: receiving from sockets", r"^(tcp_recvmsg|__sys_recvfrom|sock_recvmsg|inet_recvmsg)"),
    ("the kernel: sending to sockets", r"^(tcp_sendmsg|__sys_sendto|__sys_sendmsg|sock_write_iter|do_writev|sock_sendmsg)"),
    ("the kernel: fresh memory, and giving it back", r"^(asm_exc_page_fault|__x64_sys_(munmap|mmap|madvise|brk|mremap))"),
    ("the kernel: waiting and waking", r"^(__x64_sys_(futex|epoll_wait|sched_yield|write)|do_futex|schedule)"),
    ("counting", r"collector::(count|streams)"),
    ("telling repeated events", r"collector::duplicates|DefaultHasher|siphash|sip::Hasher"),
    ("reading JSON", r"collector::decode|sonic_rs|serde|zmij|parse_float|dec2flt|from_utf8"),
    ("names and dictionaries", r"collector::(dictionary|event::Name)"),
    ("gathering and laying out", r"collector::(batch|predictions|queue|intake|maker)|arrow|sql::"),
    ("allocating", r"^(malloc|free|_int_(malloc|free|realloc)|realloc|calloc|cfree|unlink_chunk|malloc_consolidate)"),
    ("copying and comparing memory", r"^(__mem|__str)"),
    ("HTTP and waiting", r"hyper|httparse|tokio|axum|tower|http|futures|mio|clickhouse|tracing|std::|core::|alloc::"),
]


def samples(data):
    """Each sample as (process, thread's name, seconds, frames innermost first)."""
    header = re.compile(r"^ *(?P<comm>.+?) +(?P<pid>\d+) +(?P<time>[\d.]+): *$")
    frame = re.compile(r"^\s+[0-9a-f]+ (?P<symbol>.*) \((?P<dso>[^()]*(?:\([^()]*\))?[^()]*)\)$")
    command = ["perf", "script", "--input", data, "--fields", "comm,pid,time,ip,sym,dso"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) as script:
        current, frames = None, []
        for line in script.stdout:
            if found := header.match(line):
                current, frames = found, []
            elif found := frame.match(line):
                frames.append((found["symbol"].split("+0x")[0], "kernel" in found["dso"]))
            elif current is not None and not line.strip():
                yield int(current["pid"]), current["comm"], float(current["time"]), frames
                current = None


def work_of(frames):
    in_kernel = frames and frames[0][1]
    for symbol, is_kernel in frames if in_kernel else frames[:1]:
        for name, pattern in WORK:
            if is_kernel == name.startswith("the kernel") and re.search(pattern, symbol):
                return name
        if in_kernel and not is_kernel:
            break
    return "the kernel: other" if in_kernel else "other"


def table(title, counted, whole, least):
    print(f"\n| {title} | share |\n|---|---:|")
    for name, n in counted.most_common():
        if n / whole >= least:
            print(f"| {name} | {100 * n / whole:.1f} % |")


def main():
    seconds, features = (sys.argv[1:] + ["4", "50"][len(sys.argv) - 1 :])[:2]
    with tempfile.TemporaryDirectory() as folder:
        data = f"{folder}/perf.data"
        record = ["perf", "record", "--quiet", "--event", "cpu-clock", "--freq", "997", "--all-cpus", "--call-graph", "fp"]
        subprocess.run([*record, "--output", data, "--", EXAMPLE, seconds, "1", features], check=True)
        everything = list(samples(data))
    own = next(pid for pid, comm, _, _ in everything if comm == "collector")
    began = next(time for _, comm, time, _ in everything if comm == "collector")
    at_work = [sample for sample in everything if sample[2] >= began]
    others = collections.Counter(pid for pid, _, _, _ in at_work if pid not in (0, own))
    engine = others.most_common(1)[0][0]
    processes = {0: "idle", own: "senders", engine: "engine"}
    whole, work, functions = collections.Counter(), collections.Counter(), collections.Counter()
    for pid, comm, _, frames in at_work:
        name = "collector" if comm == "collector" else processes.get(pid, "other processes")
        whole[name] += 1
        if name == "collector" and frames:
            work[work_of(frames)] += 1
            functions[frames[0][0].replace("|", "/")] += 1
    table("processors' time", whole, sum(whole.values()), 0)
    table("the collector's time", work, whole["collector"], 0)
    table("the collector's functions", functions, whole["collector"], 0.01)


if __name__ == "__main__":
    main()
