package grpcx

import (
	"context"
	"log/slog"
	"time"

	"github.com/grpcx-go/sdk/runtimex"
)

// Settings are the effective settings of a server: defaults filled in, a
// negative value meaning off or unlimited. They hold no secret and can be
// logged and marshalled to JSON.
type Settings struct {
	// Addrs are the addresses asked for, or, once bound, served on.
	Addrs []string `json:"addrs"`
	// ProbeAddr is the address of the probe listener; empty without one.
	ProbeAddr string `json:"probe_addr,omitempty"`
	// ProbeTLS is true when the probe listener speaks TLS.
	ProbeTLS bool `json:"probe_tls,omitempty"`
	// AdminAddr is the address of the admin listener; empty without one.
	AdminAddr string `json:"admin_addr,omitempty"`
	// TLS says how connections are secured.
	TLS TLSSettings `json:"tls"`

	Limits    Limits    `json:"limits"`
	Keepalive Keepalive `json:"keepalive"`
	Drain     Drain     `json:"drain"`
	Distrust  Distrust  `json:"distrust"`

	// Checks are the names of the health checks.
	Checks []string `json:"checks,omitempty"`
	// Methods are the registered methods.
	Methods []string `json:"methods,omitempty"`
	// Reflection is true when the reflection service is served.
	Reflection bool `json:"reflection"`
	// Metrics and Tracing are true when there is an SDK that records them.
	Metrics bool `json:"metrics"`
	Tracing bool `json:"tracing"`
	// Without lists the features that are switched off.
	Without []Feature `json:"without,omitempty"`
	// Options are the options given, printed.
	Options []string `json:"options"`
	// Runtime is what the Go runtime decided about CPU and memory.
	Runtime runtimex.Report `json:"runtime"`
}

// TLSSettings say how connections are secured.
type TLSSettings struct {
	// Mode is "mutual tls", "tls", "tls, client certificate verified if given"
	// or "plaintext".
	Mode string `json:"mode"`
	// Cert, Key and ClientCA are the paths of the files, if there are any.
	Cert     string `json:"cert,omitempty"`
	Key      string `json:"key,omitempty"`
	ClientCA string `json:"client_ca,omitempty"`
	// Subject names the certificate served and NotAfter says when it, or the
	// first of its chain, expires.
	Subject  string    `json:"subject,omitempty"`
	NotAfter time.Time `json:"not_after,omitzero"`
	// ClientCAs is the number of certificates that clients may chain to.
	ClientCAs int `json:"client_cas,omitempty"`
	// Development is true for a certificate of package devcert.
	Development bool `json:"development,omitempty"`
}

// Settings returns the effective settings.
func (s *Server) Settings() Settings {
	out := Settings{
		ProbeAddr:  s.cfg.probeAddr,
		ProbeTLS:   s.cfg.probeTLS,
		AdminAddr:  s.cfg.adminAddr,
		TLS:        s.cfg.transport.describe(),
		Limits:     s.cfg.limits,
		Keepalive:  s.cfg.keepalive,
		Drain:      s.cfg.drain,
		Distrust:   s.cfg.distrust,
		Methods:    s.path.methodNames(),
		Reflection: s.cfg.reflection,
		Metrics:    s.cfg.metering() != nil,
		Tracing:    s.cfg.tracing() != nil,
		Options:    s.cfg.given,
		Runtime:    runtimex.Current(),
	}
	for _, addr := range s.Addrs() {
		out.Addrs = append(out.Addrs, addr.String())
	}
	if out.Addrs == nil {
		out.Addrs = s.cfg.plannedAddrs()
	}
	if addr := s.ProbeAddr(); addr != nil {
		out.ProbeAddr = addr.String()
	}
	if addr := s.AdminAddr(); addr != nil {
		out.AdminAddr = addr.String()
	}
	for _, c := range s.cfg.checks {
		out.Checks = append(out.Checks, c.name)
	}
	for _, f := range allFeatures {
		if s.cfg.without[f] {
			out.Without = append(out.Without, f)
		}
	}
	return out
}

// plannedAddrs are the addresses before anything is bound.
func (s *settings) plannedAddrs() []string {
	addrs := append([]string(nil), s.addrs...)
	for _, lis := range s.listeners {
		addrs = append(addrs, lis.Addr().String())
	}
	if addrs == nil {
		addrs = []string{defaultAddr}
	}
	return addrs
}

func (t transport) describe() TLSSettings {
	out := TLSSettings{Mode: t.mode(), Cert: t.files.Cert, Key: t.files.Key, ClientCA: t.files.ClientCA}
	if t.source != nil {
		now := t.source.Current()
		out.Subject = now.Leaf().Subject.String()
		out.NotAfter = now.NotAfter()
		out.ClientCAs = len(now.ClientCAs())
		out.Development = now.Development()
	}
	return out
}

// LogValue groups the settings for slog, as people read them.
func (s Settings) LogValue() slog.Value {
	attrs := []slog.Attr{slog.Any("addrs", s.Addrs)}
	if s.ProbeAddr != "" {
		attrs = append(attrs, slog.String("probe_addr", s.ProbeAddr), slog.Bool("probe_tls", s.ProbeTLS))
	}
	if s.AdminAddr != "" {
		attrs = append(attrs, slog.String("admin_addr", s.AdminAddr))
	}
	attrs = append(attrs,
		slog.Any("tls", s.TLS),
		configGroup("limits", &s.Limits),
		configGroup("keepalive", &s.Keepalive),
		configGroup("drain", &s.Drain),
		configGroup("distrust", &s.Distrust),
		slog.Int("methods", len(s.Methods)),
		slog.Bool("reflection", s.Reflection),
		slog.Bool("metrics", s.Metrics),
		slog.Bool("tracing", s.Tracing))
	if len(s.Checks) > 0 {
		attrs = append(attrs, slog.Any("checks", s.Checks))
	}
	if len(s.Without) > 0 {
		attrs = append(attrs, slog.Any("without", s.Without))
	}
	return slog.GroupValue(append(attrs, slog.Any("runtime", s.Runtime))...)
}

// LogValue groups what is known of the certificate for slog.
func (t TLSSettings) LogValue() slog.Value {
	if t.Mode == modePlaintext {
		return slog.StringValue(t.Mode)
	}
	return slog.GroupValue(
		slog.String("mode", t.Mode),
		slog.String("subject", t.Subject),
		slog.Time("not_after", t.NotAfter),
		slog.Int("client_cas", t.ClientCAs),
		slog.Bool("development", t.Development))
}

func configGroup(key string, cfg any) slog.Attr {
	var attrs []any
	for f := range fields(cfg) {
		attrs = append(attrs, slog.String(f.key, f.effective()))
	}
	return slog.Group(key, attrs...)
}

// logStart says what is served and warns of what is likely to be wrong.
func (s *Server) logStart() {
	log := s.logger()
	log.LogAttrs(context.Background(), slog.LevelInfo, "grpcx: serving", slog.Any("settings", s.Settings()))
	for _, w := range s.cfg.warnings {
		log.Warn("grpcx: " + w)
	}
	switch mode := s.cfg.transport.mode(); {
	case mode == modePlaintext:
		log.Warn("grpcx: serving plaintext, as WithInsecure asked: anyone who reaches the port can call and read")
	case mode == modeMutual && s.cfg.probeAddr == "" && !s.cfg.transport.source.Current().Development():
		log.Warn("grpcx: mutual TLS without a probe listener: kubelet has no client certificate; add WithProbeAddr")
	}
	if addr := s.AdminAddr(); addr != nil && isOpen(addr) {
		log.Warn("grpcx: the admin listener is not on loopback, as WithAdminAddr asked: anyone who reaches it can read health, variables, settings, profiles and stacks",
			slog.String("addr", addr.String()))
	}
}
