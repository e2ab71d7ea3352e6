package grpcx

import (
	"errors"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/metric"
	semconv "go.opentelemetry.io/otel/semconv/v1.43.0"
	"google.golang.org/protobuf/proto"
)

// messageSizes are the buckets of grpcx.message.size, in bytes.
var messageSizes = []float64{0, 64, 256, 1 << 10, 4 << 10, 16 << 10, 64 << 10, 256 << 10, 1 << 20, 4 << 20, 16 << 20}

// addMessages makes the instruments of Telemetry.Messages. The conventions had
// such metrics and deprecated them, hence the names.
func (t *telemetry) addMessages(meter metric.Meter) error {
	messages, err := meter.Int64Counter("grpcx.messages", metric.WithUnit("{message}"),
		metric.WithDescription("Messages of calls, by direction."))
	size, err2 := meter.Int64Histogram("grpcx.message.size", metric.WithUnit("By"),
		metric.WithDescription("The encoded size of messages without compression, by direction."),
		metric.WithExplicitBucketBoundaries(messageSizes...))
	t.messages, t.messageSize = messages, size
	return errors.Join(err, err2)
}

// direction is what recording a message of one method needs.
type direction struct {
	add    []metric.AddOption
	record []metric.RecordOption
}

func newDirection(m *method, name string) direction {
	set := metric.WithAttributeSet(attribute.NewSet(semconv.RPCMethod(m.name), attribute.String("grpcx.direction", name)))
	return direction{add: []metric.AddOption{set}, record: []metric.RecordOption{set}}
}

// received records a request message.
func (c *call) received(msg any) {
	if t := c.path.telemetry; t != nil && t.messages != nil {
		t.message(c, msg, &c.method.telemetry.received)
	}
}

// sent records a response message.
func (c *call) sent(msg any) {
	if t := c.path.telemetry; t != nil && t.messages != nil {
		t.message(c, msg, &c.method.telemetry.sent)
	}
}

func (t *telemetry) message(c *call, msg any, d *direction) {
	t.messages.Add(c, 1, d.add...)
	if m, ok := msg.(proto.Message); ok {
		t.messageSize.Record(c, int64(proto.Size(m)), d.record...)
	}
}
