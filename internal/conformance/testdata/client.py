"""Makes a call of each kind to grpc.testing.TestService; see foreign_test.go."""
import json, sys
import grpc

target, ca, cert, key = sys.argv[1:]
read = lambda path: open(path, "rb").read()
channel = grpc.secure_channel(
    target,
    grpc.ssl_channel_credentials(read(ca), read(key), read(cert)),
    options=[("grpc.ssl_target_name_override", "localhost")],
)
same = lambda message: message
path = "/grpc.testing.TestService/"
got = {"Version": "grpcio " + grpc.__version__}

sized = lambda n: b"\x12\x02\x08" + bytes([n])  # StreamingOutputCallRequest: a response of n bytes
carrying = lambda n: bytes([0x0A, n + 2, 0x12, n]) + bytes(n)  # StreamingInputCallRequest: n bytes

unary = channel.unary_unary(path + "UnaryCall", same, same)
reply, call = unary.with_call(
    b"\x10\x03",  # SimpleRequest: a response of 3 bytes
    metadata=[("x-grpc-test-echo-initial", "initial"), ("x-grpc-test-echo-trailing-bin", b"\x0a\x0b\x00\xff")],
    timeout=30,
)
got["Unary"] = reply.hex()
got["Initial"] = dict(call.initial_metadata())["x-grpc-test-echo-initial"]
got["Trailing"] = dict(call.trailing_metadata())["x-grpc-test-echo-trailing-bin"].hex()

collect = channel.stream_unary(path + "StreamingInputCall", same, same)
got["ClientStream"] = collect(iter([carrying(2), carrying(4)]), timeout=30).hex()

spread = channel.unary_stream(path + "StreamingOutputCall", same, same)
got["ServerStream"] = [m.hex() for m in spread(sized(1) + sized(2), timeout=30)]

# Each request waits for the response to the one before.
answers = []
duplex = channel.stream_stream(path + "FullDuplexCall", same, same)


class Requests:
    def __init__(self):
        import threading

        self.sizes, self.answered = [1, 3], threading.Semaphore(1)

    def __iter__(self):
        for n in self.sizes:
            self.answered.acquire()
            yield sized(n)


requests = Requests()
for message in duplex(iter(requests), timeout=30):
    answers.append(message.hex())
    requests.answered.release()
got["Bidi"] = answers

text = "\t\u263a and \u00e4%\n".encode()
status = b"\x08\x09\x12" + bytes([len(text)]) + text  # EchoStatus: FAILED_PRECONDITION
try:
    unary(b"\x3a" + bytes([len(status)]) + status, timeout=30)
except grpc.RpcError as e:
    got["Code"], got["Message"] = e.code().value[0], e.details()
try:
    channel.unary_unary(path + "Nothing", same, same)(b"", timeout=30)
except grpc.RpcError as e:
    got["Unknown"] = e.code().value[0]
print(json.dumps(got))
