// Package server is what every process under measurement has in common,
// whichever stack it serves with: the service, the certificates, the telemetry
// providers, and the way in which it tells the measuring process what it used.
//
// A program offers stacks with [Main], or with [ServeIfChild] where it does
// something else too. Package bench, above, starts it once for each of them.
package server
