"""Answers that it serves, to clients with a certificate; see foreign_test.go."""
import concurrent.futures, sys
import grpc

ca, cert, key = sys.argv[1:]
read = lambda path: open(path, "rb").read()
same = lambda message: message


def check(request, context):
    names = context.auth_context().get("x509_subject_alternative_name", [])
    context.set_trailing_metadata([("peer", name.decode()) for name in names])
    return b"\x08\x01"


server = grpc.server(concurrent.futures.ThreadPoolExecutor(2))
method = grpc.unary_unary_rpc_method_handler(check, same, same)
server.add_generic_rpc_handlers([grpc.method_handlers_generic_handler("grpc.health.v1.Health", {"Check": method})])
credentials = grpc.ssl_server_credentials([(read(key), read(cert))], read(ca), require_client_auth=True)
print(server.add_secure_port("127.0.0.1:0", credentials), flush=True)
server.start()
sys.stdin.read()
server.stop(None).wait()
