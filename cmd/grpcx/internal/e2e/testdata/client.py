"""Asks each server for its health; see foreign_test.go."""
import sys
import grpc

ca, cert, key, *targets = sys.argv[1:]
read = lambda path: open(path, "rb").read()
same = lambda message: message
for target in targets:
    with grpc.secure_channel(target, grpc.ssl_channel_credentials(read(ca), read(key), read(cert))) as channel:
        check = channel.unary_unary("/grpc.health.v1.Health/Check", same, same)
        answer = check(b"", timeout=10)
        assert answer == b"\x08\x01", answer
print("version", grpc.__version__)
