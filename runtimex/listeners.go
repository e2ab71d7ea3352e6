package runtimex

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"slices"
	"sync"
)

// listeners are told what happens, one event at a time.
type listeners struct {
	mu   sync.Mutex
	cfgs []*config
}

func (l *listeners) add(cfg *config) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.cfgs = append(slices.Clone(l.cfgs), cfg)
}

func (l *listeners) remove(cfg *config) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.cfgs = slices.DeleteFunc(slices.Clone(l.cfgs), func(c *config) bool { return c == cfg })
}

// logger is that of the first controller that is left.
func (l *listeners) logger() *slog.Logger {
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(l.cfgs) > 0 && l.cfgs[0].logger != nil {
		return l.cfgs[0].logger
	}
	return slog.Default()
}

// tell logs the event once and passes it to every observer.
func (l *listeners) tell(event Event) {
	l.mu.Lock()
	cfgs := l.cfgs
	l.mu.Unlock()
	logger := l.logger()
	logEvent(logger, event)
	for _, cfg := range cfgs {
		for _, observe := range cfg.observers {
			call(logger, observe, event)
		}
	}
}

func call(logger *slog.Logger, observe func(Event), event Event) {
	defer func() {
		if v := recover(); v != nil {
			logger.Error("runtimex: an observer panicked", slog.String("panic", fmt.Sprint(v)))
		}
	}()
	observe(event)
}

func logEvent(logger *slog.Logger, event Event) {
	log := func(level slog.Level, text string, attrs ...slog.Attr) {
		logger.LogAttrs(context.Background(), level, "runtimex: "+text, attrs...)
	}
	switch e := event.(type) {
	case Tuned:
		log(slog.LevelInfo, fmt.Sprintf("%s is now %s", e.Knob, e.Now),
			slog.String("was", Snapshot{Value: e.Was}.String()),
			slog.String("source", string(e.Now.Source)),
			slog.String("reason", e.Now.Reason))
	case GCPressure:
		log(slog.LevelWarn, "the garbage collector uses too much CPU: raise the memory limit, or hold less in memory",
			slog.Float64("gc_fraction", e.Fraction),
			slog.Int64("heap_live", e.HeapLive),
			slog.Int64("memory_limit", e.MemoryLimit))
	case GCRelieved:
		log(slog.LevelInfo, "the garbage collector uses less CPU again",
			slog.Float64("gc_fraction", e.Fraction), slog.Duration("lasted", e.Time.Sub(e.Since)))
	case Degraded:
		level := slog.LevelWarn
		if errors.Is(e.Err, fs.ErrPermission) {
			level = slog.LevelInfo // a sandbox, and nothing that will change
		}
		log(level, "not all limits can be read; what was decided stays", slog.Any("error", e.Err))
	case Recovered:
		log(slog.LevelInfo, "all limits can be read again")
	}
}
