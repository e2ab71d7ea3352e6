package parity_test

import (
	"io"

	"google.golang.org/grpc/mem"
)

// rawCodec sends bytes as messages, under the name of the codec that servers
// expect.
type rawCodec struct{}

func (rawCodec) Marshal(v any) (mem.BufferSlice, error) {
	return mem.BufferSlice{mem.SliceBuffer(v.([]byte))}, nil
}

func (rawCodec) Unmarshal(data mem.BufferSlice, v any) error {
	*v.(*[]byte) = data.Materialize()
	return nil
}

func (rawCodec) Name() string { return "proto" }

// private is a compression that is registered nowhere.
type private struct{}

func (private) Do(w io.Writer, p []byte) error {
	_, err := w.Write(p)
	return err
}

func (private) Type() string { return "private" }
