package tlsx

import (
	"crypto"
	"io"
	"time"
)

// observed returns the key, telling observe of each signature.
func observed(key crypto.Signer, observe func(time.Duration, error)) crypto.Signer {
	if observe == nil {
		return key
	}
	s := observedSigner{key, observe}
	if m, ok := key.(crypto.MessageSigner); ok {
		return observedMessageSigner{s, m}
	}
	return s
}

type observedSigner struct {
	crypto.Signer
	observe func(time.Duration, error)
}

func (s observedSigner) Sign(rand io.Reader, digest []byte, opts crypto.SignerOpts) ([]byte, error) {
	begin := time.Now()
	signature, err := s.Signer.Sign(rand, digest, opts)
	s.observe(time.Since(begin), err)
	return signature, err
}

// observedMessageSigner keeps a key's ability to hash what it signs.
type observedMessageSigner struct {
	observedSigner
	message crypto.MessageSigner
}

func (s observedMessageSigner) SignMessage(rand io.Reader, msg []byte, opts crypto.SignerOpts) ([]byte, error) {
	begin := time.Now()
	signature, err := s.message.SignMessage(rand, msg, opts)
	s.observe(time.Since(begin), err)
	return signature, err
}
