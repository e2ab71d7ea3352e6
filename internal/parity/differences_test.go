package parity_test

import (
	"strings"
	"testing"
)

// difference is one thing in which grpcx departs from otelgrpc on purpose.
type difference struct {
	name   string
	reason string
	apply  func(*recording) // makes of otelgrpc's recording what grpcx is to record
}

// The deliberate differences. Those that hold for every call, such as the name
// of the scope, are in TestScope.
var (
	masked = difference{
		"masked text", "the text of an error that is no gRPC status may hold what clients must not see, so the status says an id, which the log shows beside the error",
		describedAs("UNKNOWN", "unknown error, id *"),
	}
	maskedPanic = difference{
		"panic", "the value of a panic may hold what clients must not see, so the status says an id, which the log shows beside value and stack",
		describedAs("INTERNAL", "internal error, id *"),
	}
	maskedDeadline = difference{
		"text around a context error", "the code is kept, but of the text only the part that is known to be harmless",
		describedAs("DEADLINE_EXCEEDED", "context deadline exceeded"),
	}
	endedByGoexit = difference{
		"Goexit", "otelgrpc counts a handler that calls runtime.Goexit as OK, and its client waits for ever; grpcx answers INTERNAL",
		func(r *recording) {
			for i := range r.spans {
				r.spans[i].status, r.spans[i].description = "Error", "internal error, id *"
				r.spans[i].attrs["rpc.response.status_code"] = text("INTERNAL")
			}
			for i := range r.metrics {
				r.metrics[i].attrs["rpc.response.status_code"] = text("INTERNAL")
				r.metrics[i].attrs["error.type"] = text("INTERNAL")
			}
			for i := range r.results {
				r.results[i] = "Internal"
			}
		},
	}
	replyNotSent = difference{
		"reply not sent", "a unary handler's reply is sent by grpc-go after the woven handler has returned, so that a failure to send it is not seen; unary methods stay unary so that the program's interceptors always run",
		func(r *recording) {
			for i := range r.spans {
				r.spans[i].status, r.spans[i].description = "Unset", ""
				r.spans[i].attrs["rpc.response.status_code"] = text("OK")
			}
			for i := range r.metrics {
				r.metrics[i].attrs["rpc.response.status_code"] = text("OK")
				delete(r.metrics[i].attrs, "error.type")
			}
		},
	}
	refusedByGRPC = difference{
		"refused by grpc-go", "a call that grpc-go refuses before any handler, for a compression it does not know, is seen by stats handlers alone, which cost every call 14 to 28% more CPU",
		func(r *recording) { r.spans, r.metrics = nil, nil },
	}
	unknownName = difference{
		"unknown methods", "the conventions want rpc.method _OTHER for names that are not registered, since callers make them up, and the name in rpc.method_original of the span",
		func(r *recording) {
			for i := range r.spans {
				r.spans[i].attrs["rpc.method_original"] = r.spans[i].attrs["rpc.method"]
				r.spans[i].name, r.spans[i].attrs["rpc.method"] = "_OTHER", text("_OTHER")
			}
			for i := range r.metrics {
				r.metrics[i].attrs["rpc.method"] = text("_OTHER")
			}
		},
	}
	noHealthSpans = difference{
		"health", "probes call every few seconds; they are measured, but get no span unless a policy says so",
		func(r *recording) {
			r.spans = nil
			for i := range r.metrics {
				r.metrics[i].exemplars = nil
			}
		},
	}
	allBaggage = difference{
		"several baggage headers", "the W3C lets a caller split its baggage over several headers; otelgrpc reads the first alone",
		func(r *recording) {
			for i := range r.seen {
				r.seen[i] = strings.Replace(r.seen[i], `"a=1"`, `"a=1,b=2"`, 1)
			}
		},
	}
)

// describedAs replaces the description of the spans with a code.
func describedAs(code, description string) func(*recording) {
	return func(r *recording) {
		for i := range r.spans {
			if r.spans[i].attrs["rpc.response.status_code"] == text(code) {
				r.spans[i].description = description
			}
		}
	}
}

// compare fails the test where ours is not what otelgrpc recorded, but for the
// deliberate differences, each of which must be there.
func compare(t *testing.T, bare, ours *recording, differences ...difference) {
	t.Helper()
	for i := range ours.spans {
		ours.spans[i].description = hideIDs(ours.spans[i].description)
	}
	for _, d := range differences {
		before := strings.Join(bare.lines(), "\n")
		d.apply(bare)
		if strings.Join(bare.lines(), "\n") == before {
			t.Errorf("otelgrpc does as grpcx does in %q (%s); remove the difference", d.name, d.reason)
		}
	}
	if d := diff(bare, ours); d != "" {
		t.Errorf("- otelgrpc, with the deliberate differences; + grpcx:%s", d)
	}
}
