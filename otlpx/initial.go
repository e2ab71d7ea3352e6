package otlpx

import (
	"fmt"
	"log/slog"
)

// isInitial reports slog's initial handler. Behind slog.SetDefault it writes to
// package log, which writes to the default logger: that is, to itself.
// TestInitialHandler pins the name of its type.
func isInitial(h slog.Handler) bool { return fmt.Sprintf("%T", h) == "*slog.defaultHandler" }
