package bench

import (
	"context"
	"fmt"
	"math/rand/v2"

	"google.golang.org/grpc/metadata"
)

// meshHeaders are the ones that a mesh and a gateway add and that repeat from
// call to call; x-request-id and traceparent, which do not, come on top.
var meshHeaders = []string{
	"x-forwarded-for", "10.42.7.19",
	"x-forwarded-proto", "https",
	"x-forwarded-client-cert", "By=spiffe://cluster.local/ns/shop/sa/cart;URI=spiffe://cluster.local/ns/shop/sa/frontend",
	"x-envoy-attempt-count", "1",
	"x-envoy-decorator-operation", "cart.shop.svc.cluster.local:50051/*",
	"x-envoy-peer-metadata-id", "sidecar~10.42.7.19~frontend-5d8f6c7b9-x2x7k.shop~shop.svc.cluster.local",
	"x-tenant-id", "tenant-0042",
	"x-client-version", "web/4.17.2",
	"accept-language", "en-GB",
	"authorization", "Bearer 8f2c1d7e4b6a49d3a0f5c9e7b1d20364",
	"x-deployment-environment", "production",
}

// sampledOneIn says how many of the calls with a traceparent are sampled.
const sampledOneIn = 100

// withHeaders adds 12 headers and a traceparent.
func withHeaders(ctx context.Context) context.Context {
	id := rand.Uint64()
	sampled := 0
	if id%sampledOneIn == 0 {
		sampled = 1
	}
	md := metadata.Pairs(meshHeaders...)
	md.Set("x-request-id", fmt.Sprintf("%016x", id))
	md.Set("traceparent", fmt.Sprintf("00-%016x%016x-%016x-%02x", id|1, rand.Uint64(), rand.Uint64()|1, sampled))
	return metadata.NewOutgoingContext(ctx, md)
}
