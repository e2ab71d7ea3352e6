// Package tlsx holds the TLS identity and trust of a server or client: a
// certificate, its key, and the certificate authorities whose certificates a
// peer may present. It speaks [crypto/tls] only, so it serves any server, not
// just gRPC.
//
//	snapshot, err := tlsx.Load(tlsx.Files{
//		Cert:     "/tls/tls.crt",
//		Key:      "/tls/tls.key",
//		ClientCA: "/tls/ca.crt",
//	})
//	...
//	creds := credentials.NewTLS(tlsx.ServerConfig(tlsx.Static(snapshot)))
//
// A [Snapshot] is one immutable generation of that material. [Load] reads it
// from PEM files, [NewSnapshot] takes it from memory, a key store or any other
// [crypto.Signer]. A [Source] hands out the current snapshot; [ServerConfig]
// and [ClientConfig] read it at each handshake.
//
// # Defaults
//
//   - A client certificate is required and verified. [VerifyClientCertIfGiven]
//     and [NoClientCert] have to be said.
//   - TLS 1.2 is the floor; in TLS 1.2 only the suites that HTTP/2 permits
//     (RFC 7540, appendix A) are offered.
//   - The ALPN protocol is h2.
//   - The key exchange groups are Go's own, so that the post-quantum hybrid
//     X25519MLKEM768 is negotiated with peers that know it.
//   - Trust never falls back to the roots of the operating system.
//
// # Resumption
//
// Session tickets are sealed with keys that belong to one snapshot and rotate
// daily. A ticket of another snapshot means a full handshake. On a resumed
// session the peer's chain is verified again, whole, before the handshake
// completes.
//
// # Secrets
//
// Private key bytes never appear in an error, a log value or the printed form
// of a type of this package.
package tlsx
