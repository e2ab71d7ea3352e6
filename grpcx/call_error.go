package grpcx

import (
	"context"
	"errors"
	"math/rand/v2"
	"strconv"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

// clientError returns what a client may see of a handler's error. An error
// that is or wraps a gRPC status goes out as it is; one that wraps a context
// error keeps its code; the text of any other may hold what clients must not
// see, so they get Unknown and an id that the log shows beside the error.
func clientError(err error) (id string, _ error) {
	if _, ok := status.FromError(err); ok {
		return "", err
	}
	switch {
	case errors.Is(err, context.DeadlineExceeded):
		return "", status.Error(codes.DeadlineExceeded, context.DeadlineExceeded.Error())
	case errors.Is(err, context.Canceled):
		return "", status.Error(codes.Canceled, context.Canceled.Error())
	}
	id = newErrorID()
	return id, status.Error(codes.Unknown, "unknown error, id "+id)
}

// newErrorID returns 16 hexadecimal digits, only to be found again in the log.
func newErrorID() string {
	const digits = 16
	s := strconv.FormatUint(rand.Uint64(), 16)
	return "0000000000000000"[:digits-len(s)] + s
}
