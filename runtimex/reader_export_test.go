package runtimex

import "io/fs"

// Reader lets the tests drive the reader that the engine uses.
type Reader struct{ r *reader }

func NewReader(fsys fs.FS, cpus func() int) Reader { return Reader{newReader(fsys, cpus)} }

func (r Reader) Read() (Limits, error)       { return r.r.read() }
func (r Reader) Files() []string             { return r.r.files() }
func (r Reader) Pressure() (Pressure, error) { return r.r.pressure() }
func (r Reader) Close()                      { r.r.close() }

// Affinity counts the CPUs that the calling thread may use.
var Affinity = affinity
