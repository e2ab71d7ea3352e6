package tlsx

import (
	"crypto"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"time"
)

// A loader turns the content of files into the parts of a snapshot and collects
// all problems on the way.
type loader struct {
	files Files
	view  *view
	now   time.Time
	// weigh judges the validity and usages of the served chain. It is
	// checkChain, unless there is an older certificate to prefer.
	weigh func(chain []*x509.Certificate, usage Usage, now time.Time) []problem
	// previous is the snapshot to be replaced, nil at the first load.
	previous *Snapshot
	errs     []error
}

// load returns the parts of generation 1, or all problems, joined.
func (l *loader) load() (parts, error) {
	p := parts{clientAuth: l.files.ClientAuth, usage: l.files.Usage, generation: 1}
	var key crypto.Signer
	if data, ok := l.read(roleCert, l.files.Cert, "set Files.Cert"); ok {
		var err error
		if p.chain, err = parseChain(data); err != nil {
			l.add(roleCert, l.files.Cert, err)
		}
	}
	if data, ok := l.read(roleKey, l.files.Key, "set Files.Key"); ok {
		var err error
		if key, err = parseKey(data); err != nil {
			l.add(roleKey, l.files.Key, err)
		}
	}
	problems := checkModes(l.files.Usage, l.files.ClientAuth, l.files.ClientCA != "", filesNames)
	if len(problems) == 0 && l.files.ClientCA != "" {
		if data, ok := l.read(roleClientCA, l.files.ClientCA, ""); ok {
			var err error
			if p.cas, err = parseBundle(data); err != nil {
				l.add(roleClientCA, l.files.ClientCA, err)
			}
		}
	}
	if p.chain != nil {
		problems = append(problems, l.weigh(p.chain, l.files.Usage, l.now)...)
	}
	if p.chain != nil && key != nil {
		problems = append(problems, checkKey(p.chain, key)...)
	}
	if p.cas != nil && (l.previous == nil || !sameSet(rawOf(p.cas), rawOf(l.previous.cas))) {
		problems = append(problems, checkBundle(p.cas, l.now)...)
	}
	paths := map[string]string{roleCert: l.files.Cert, roleKey: l.files.Key, roleClientCA: l.files.ClientCA}
	for _, problem := range problems {
		l.add(problem.role, paths[problem.role], problem.err)
	}
	p.policy = l.policy(p.cas)
	if len(l.errs) > 0 {
		return parts{}, errors.Join(l.errs...)
	}
	p.cert = tls.Certificate{PrivateKey: key, Leaf: p.chain[0]}
	for _, c := range p.chain {
		p.cert.Certificate = append(p.cert.Certificate, c.Raw)
	}
	return p, nil
}

func (l *loader) add(role, path string, err error) {
	l.errs = append(l.errs, &FileError{Role: role, Path: path, Err: err})
}

// read returns the content of a file, once for all roles that name it.
func (l *loader) read(role, path, remedy string) ([]byte, bool) {
	if path == "" {
		l.add(role, path, errors.New("no file is named; "+remedy))
		return nil, false
	}
	data, err := l.view.file(path)
	if err == nil && len(data) > maxFileSize {
		err = tooLarge(maxFileSize)
	}
	if err != nil {
		l.add(role, path, because(readReason(err), err))
		return nil, false
	}
	return data, true
}
