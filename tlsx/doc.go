// Package tlsx holds the TLS identity and trust of a server or client: a
// certificate, its key, and the certificate authorities whose certificates a
// peer may present. It speaks [crypto/tls] only, so it serves any server, not
// just gRPC.
//
//	reloader, err := tlsx.NewReloader(tlsx.Files{
//		Cert:     "/tls/tls.crt",
//		Key:      "/tls/tls.key",
//		ClientCA: "/tls/ca.crt",
//	})
//	...
//	go reloader.Run(ctx)
//	creds := credentials.NewTLS(tlsx.ServerConfig(reloader))
//
// A [Snapshot] is one immutable generation of that material. [Load] reads it
// from PEM files, [NewSnapshot] takes it from memory, a key store or any other
// [crypto.Signer]. A [Source] hands out the current snapshot; [ServerConfig]
// and [ClientConfig] read it at each handshake. A [Reloader] is a source
// that follows its files; [Static] one that never changes.
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
// # Peers
//
// A chain to the CA bundle is the least that a peer needs. Files and [Material]
// can demand more:
//
//   - CRL checks every certificate of the chain but the anchor against the
//     revocation lists of the CAs (RFC 5280), and OCSP the response that the peer
//     staples (RFC 6960). A revoked peer is refused; [Revocation] says what
//     happens to one of unknown status.
//   - Allow lists the clients that may connect, by [Matcher].
//
// One function judges peers, at first handshakes, at resumptions and by
// [Snapshot.Recheck] on open connections. A refusal is a *[PeerError];
// [RefusalReason] names it in a word.
//
// # Resumption
//
// Session tickets are sealed with keys that rotate daily and belong to one
// generation of trust ([Snapshot.TrustGeneration]). A ticket of another one
// means a full handshake. On a resumed session the peer is judged again before
// the handshake completes; the signatures of a chain that this process and CA
// bundle verified before are not computed again.
//
// # Secrets
//
// Private key bytes never appear in an error, a log value or the printed form
// of a type of this package.
package tlsx
