package tlsconf

import (
	"bytes"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
)

// maxFile is far above any bundle of certificates, and keeps /dev/zero from filling memory.
const maxFile = 16 << 20

// readFile returns what a file named by a flag holds; a pipe, as from a shell's <(...), will do.
func readFile(flag, file string) ([]byte, error) {
	f, err := os.Open(file)
	if err != nil {
		return nil, fileError(flag, file, err)
	}
	defer f.Close()
	if fi, err := f.Stat(); err == nil && fi.IsDir() {
		e := &Error{Flag: flag, Value: file, Reason: "is a directory, not a file"}
		if flag == flagCAFile {
			e.Fix = []string{"use " + flagCAPath + " DIRECTORY"}
		}
		return nil, e
	}
	data, err := io.ReadAll(io.LimitReader(f, maxFile+1))
	if err != nil {
		return nil, fileError(flag, file, err)
	}
	switch {
	case len(data) > maxFile:
		return nil, &Error{Flag: flag, Value: file, Reason: fmt.Sprintf("is larger than %d MiB, so it is no PEM file", maxFile>>20)}
	case len(bytes.TrimSpace(data)) == 0:
		return nil, &Error{Flag: flag, Value: file, Reason: "is empty"}
	}
	return data, nil
}

// readCerts returns the certificates in a file, at least one. PEM is usual; a bare DER certificate is taken too.
func readCerts(flag, file string) ([]*x509.Certificate, error) {
	data, err := readFile(flag, file)
	if err != nil {
		return nil, err
	}
	certs, err := parseCerts(data)
	if err != nil {
		return nil, &Error{Flag: flag, Value: file, Reason: err.Error(), Err: err}
	}
	if len(certs) == 0 {
		return nil, noCertError(flag, file, data)
	}
	return certs, nil
}

// parseCerts returns every certificate in data, which may be none.
func parseCerts(data []byte) ([]*x509.Certificate, error) {
	if c, err := x509.ParseCertificate(data); err == nil {
		return []*x509.Certificate{c}, nil
	}
	var certs []*x509.Certificate
	for _, b := range blocks(data) {
		if b.Type != "CERTIFICATE" {
			continue
		}
		c, err := x509.ParseCertificate(b.Bytes)
		if err != nil {
			return nil, fmt.Errorf("certificate %d in the file is damaged (%s)", len(certs)+1, clean(err.Error()))
		}
		certs = append(certs, c)
	}
	return certs, nil
}

func noCertError(flag, file string, data []byte) *Error {
	what := contents(data)
	e := &Error{Flag: flag, Value: file, Reason: "holds " + what + ", not a certificate"}
	switch {
	case flag == flagCert && what == privateKey:
		e.Fix = []string{"swap the files of " + flagCert + " and " + flagKey}
	case what == privateKey:
		e.Fix = []string{"pass the certificate of the CA, never its key"}
	case what == binary:
		e.Fix = []string{"if it is PKCS#12 (.p12, .pfx), convert it: openssl pkcs12 -in FILE -nokeys -out NEW.pem"}
	}
	return e
}

// What a file can turn out to hold, for messages.
const (
	privateKey  = "a private key"
	certificate = "a certificate"
	binary      = "binary data"
)

// contents names what a file holds by its first telling PEM block.
func contents(data []byte) string {
	bs := blocks(data)
	for _, b := range bs {
		switch {
		case strings.HasSuffix(b.Type, "PRIVATE KEY"):
			return privateKey
		case b.Type == "CERTIFICATE":
			return certificate
		case strings.HasSuffix(b.Type, "CERTIFICATE REQUEST"):
			return "a certificate request (CSR)"
		case strings.HasSuffix(b.Type, "PUBLIC KEY"):
			return "a public key"
		}
	}
	switch {
	case len(bs) > 0:
		return fmt.Sprintf("a PEM block of type %q", bs[0].Type)
	case bytes.Contains(data, []byte("-----BEGIN ")):
		return "damaged PEM"
	case slices.ContainsFunc(data, func(b byte) bool { return b < '\t' || b > '~' }):
		return binary
	}
	return "no PEM block"
}

func blocks(data []byte) []*pem.Block {
	var bs []*pem.Block
	for {
		b, rest := pem.Decode(data)
		if b == nil {
			return bs
		}
		bs, data = append(bs, b), rest
	}
}
