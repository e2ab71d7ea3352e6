"""Calls grpc.testing.TestService until its input ends; see foreign_test.go."""
import json, sys, threading, time
import grpc

target, ca, cert, key = sys.argv[1:]
read = lambda path: open(path, "rb").read()
channel = grpc.secure_channel(
    target,
    grpc.ssl_channel_credentials(read(ca), read(key), read(cert)),
    options=[
        ("grpc.ssl_target_name_override", "localhost"),
        ("grpc.default_authority", "localhost"),
        # No grpc.enable_retries of 0: C-core needs its transparent retries, which
        # are on by default. It refuses calls that it holds when any GOAWAY comes.
        ("grpc.initial_reconnect_backoff_ms", 100),
        ("grpc.min_reconnect_backoff_ms", 100),
        ("grpc.max_reconnect_backoff_ms", 100),
    ],
)
same = lambda message: message  # an empty message is no bytes
unary = channel.unary_unary("/grpc.testing.TestService/UnaryCall", same, same)
duplex = channel.stream_stream("/grpc.testing.TestService/FullDuplexCall", same, same)
ended = threading.Event()
lock = threading.Lock()
counts = {"calls": 0, "streams": 0, "messages": 0, "failed": 0, "errors": []}


def fail(what, error):
    with lock:
        counts["failed"] += 1
        counts["errors"] = (counts["errors"] + ["%s: %s" % (what, error)])[:5]


def count(what):
    with lock:
        counts[what] += 1


def call():
    while not ended.is_set():
        count("calls")
        try:
            unary(b"", timeout=30)
        except grpc.RpcError as e:
            fail("call", e)
        time.sleep(0.002)


def messages():
    for _ in range(60):  # 600 ms: drains begin inside it
        time.sleep(0.01)
        yield b""


def stream():
    while not ended.is_set():
        count("streams")
        try:
            got = sum(1 for _ in duplex(messages(), timeout=60))
            with lock:
                counts["messages"] += got
            if got != 60:
                fail("stream", "%d messages of 60" % got)
        except grpc.RpcError as e:
            fail("stream", e)


threads = [threading.Thread(target=f) for f in (call, call, stream)]
for t in threads:
    t.start()
print("version", grpc.__version__, flush=True)
sys.stdin.read()
ended.set()
for t in threads:
    t.join()
print(json.dumps(counts), flush=True)
