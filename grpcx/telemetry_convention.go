package grpcx

import (
	"strings"

	"go.opentelemetry.io/otel/attribute"
	semconv "go.opentelemetry.io/otel/semconv/v1.43.0"
	"google.golang.org/grpc/codes"
)

// convention says which of OpenTelemetry's semantic conventions for RPC are
// followed.
type convention uint8

const (
	conventionNew  convention = iota // those of the semconv package in use
	conventionOld                    // those before 1.38
	conventionBoth                   // both, for a migration
)

// conventionOf reads OTEL_SEMCONV_STABILITY_OPT_IN, a list in which the first
// entry for RPC counts.
func conventionOf(env string) convention {
	for entry := range strings.SplitSeq(env, ",") {
		switch strings.TrimSpace(entry) {
		case "rpc/dup":
			return conventionBoth
		case "rpc/old":
			return conventionOld
		}
	}
	return conventionNew
}

// attributes are those of a method, for its metrics and spans. Where both
// conventions use a key, the newer one wins, which comes last.
func (c convention) attributes(m *method) []attribute.KeyValue {
	var attrs []attribute.KeyValue
	if c != conventionNew {
		attrs = append(attrs, attribute.String("rpc.system", "grpc"))
		if slash := strings.LastIndexByte(m.name, '/'); slash >= 0 {
			attrs = append(attrs, attribute.String("rpc.service", m.name[:slash]), attribute.String("rpc.method", m.name[slash+1:]))
		}
	}
	if c != conventionOld {
		attrs = append(attrs, semconv.RPCMethod(m.name), semconv.RPCSystemNameGRPC)
	}
	return attrs
}

// errorType is the attribute of a call that failed by the server's fault.
func errorType(code codes.Code) attribute.KeyValue {
	return semconv.ErrorTypeKey.String(codeName(code))
}
