package tlsconf

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
)

// hashName is what `openssl rehash` calls its links: eight hex digits of the subject's hash and a counter.
var hashName = regexp.MustCompile(`^[0-9a-f]{8}\.[0-9]+$`)

// setRoots leaves RootCAs nil when only the operating system's store is wanted, so that its own verifier is used.
func (o Options) setRoots(cfg *tls.Config) error {
	if o.CAFile == "" && o.CAPath == "" {
		return nil
	}
	pool := x509.NewCertPool()
	if o.UseOSCerts {
		var err error
		if pool, err = x509.SystemCertPool(); err != nil {
			return &Error{Flag: flagOSCerts, Reason: "the operating system's trust store cannot be read: " + clean(err.Error()), Err: err}
		}
	}
	if o.CAFile != "" {
		certs, err := readCerts(flagCAFile, o.CAFile)
		if err != nil {
			return err
		}
		addAll(pool, certs)
	}
	if o.CAPath != "" {
		certs, err := readDir(o.CAPath)
		if err != nil {
			return err
		}
		addAll(pool, certs)
	}
	cfg.RootCAs = pool
	return nil
}

func addAll(pool *x509.CertPool, certs []*x509.Certificate) {
	for _, c := range certs {
		pool.AddCert(c)
	}
}

// readDir returns the certificates of a --capath directory. Files without any are passed over, as OpenSSL does, but a
// directory without any is an error: it would trust nobody, which is never what was meant.
func readDir(dir string) ([]*x509.Certificate, error) {
	entries, err := os.ReadDir(dir)
	if err != nil {
		e := fileError(flagCAPath, dir, err)
		if fi, serr := os.Stat(dir); serr == nil && !fi.IsDir() {
			e.Reason, e.Fix = "is a file, not a directory", []string{"use " + flagCAFile + " FILE"}
		}
		return nil, e
	}
	var all []*x509.Certificate
	for _, entry := range entries {
		if !certName(entry.Name()) {
			continue
		}
		file := filepath.Join(dir, entry.Name())
		fi, err := os.Stat(file)
		if errors.Is(err, fs.ErrNotExist) || err == nil && !fi.Mode().IsRegular() {
			continue // a dangling link, common in /etc/ssl/certs, or a directory
		}
		data, err := os.ReadFile(file)
		if err != nil {
			return nil, fileError(flagCAPath, file, err)
		}
		certs, err := parseCerts(data)
		if err != nil {
			return nil, &Error{Flag: flagCAPath, Value: file, Reason: err.Error(), Err: err}
		}
		all = append(all, certs...)
	}
	if len(all) == 0 {
		return nil, &Error{Flag: flagCAPath, Value: dir,
			Reason: "has no certificate in any *.pem, *.crt, *.cer or hash-named file",
			Fix:    []string{"copy the CA's PEM file into it, or use " + flagCAFile + " FILE"}}
	}
	return all, nil
}

func certName(name string) bool {
	switch filepath.Ext(name) {
	case ".pem", ".crt", ".cer":
		return true
	}
	return hashName.MatchString(name)
}
