// Package zoo makes certificates for tests: good ones, and one for each way in which a certificate can be bad.
//
// It is test support and refuses to serve as anything else: Write works only in a test binary, every certificate says
// in its subject that it is not to be trusted, the good ones last a day, and the passphrase is public.
package zoo

import (
	"crypto/ecdsa"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"github.com/youmark/pkcs8"
)

// Passphrase opens the encrypted keys of the zoo.
const Passphrase = "zebra"

// The common names that messages about the zoo's certificates show.
const (
	CA      = "mq zoo CA"
	OtherCA = "mq zoo other CA"
)

// Hostile is a name that would colour, clear and command a careless terminal.
const Hostile = "evil\x1b[31m\x1b[2J\r\n$(touch x)"

// Zoo is a directory of PEM files. A name with .pem is a certificate, the same with .key its private key:
//
//	ca               the CA of all that follow unless said otherwise
//	other-ca         another CA
//	twin-ca          a CA with the name of ca and another key
//	expired-ca       the key and name of ca in a certificate that expired with 2020
//	server           localhost, 127.0.0.1 and ::1
//	other-host       broker.example.com only
//	wildcard         *.example.com only
//	expired          localhost, expired with 2020
//	not-yet          localhost, from 2100 on
//	self-signed      localhost, signed by itself
//	wrong-ca         localhost, signed by other-ca
//	cn-only          localhost as common name, without alternative names
//	wrong-usage      localhost, but with a client's extended key usage
//	hostile          localhost, signed by other-ca, with control bytes in its names
//	constrained-ca   a CA for example.com only
//	outside          localhost, signed by constrained-ca all the same
//	client           a client's
//	client-expired   a client's, expired with 2020
//	client-other-ca  a client's, signed by other-ca
//
// client-encrypted.key (PKCS#8) and client-encrypted-legacy.key (PEM headers) are client.key under Passphrase, and
// capath is a directory that holds ca.pem.
type Zoo struct {
	Dir string
}

// Path returns the full name of a file in the zoo, such as "server.pem".
func (z *Zoo) Path(name string) string { return filepath.Join(z.Dir, name) }

// Write fills dir, which must exist, with a fresh zoo.
func Write(dir string) (*Zoo, error) {
	if !testing.Testing() {
		return nil, errors.New("zoo: these certificates are for tests only")
	}
	b := &builder{zoo: &Zoo{Dir: dir}}
	b.cas()
	b.servers()
	b.clients()
	if b.err != nil {
		return nil, fmt.Errorf("zoo: %w", b.err)
	}
	return b.zoo, nil
}

// builder issues certificates until the first error.
type builder struct {
	zoo               *Zoo
	ca, other, narrow *authority
	serial            int64
	err               error
}

func (b *builder) cas() {
	b.ca = b.authority("ca", b.template(CA, current))
	b.other = b.authority("other-ca", b.template(OtherCA, current))
	b.authority("twin-ca", b.template(CA, current))
	t := b.template("mq zoo constrained CA", current)
	t.PermittedDNSDomains, t.PermittedDNSDomainsCritical = []string{"example.com"}, true
	b.narrow = b.authority("constrained-ca", t)
	if b.err != nil {
		return
	}
	t = b.template(CA, old)
	asCA(t)
	b.issue("expired-ca", t, &authority{t, b.ca.key}, b.ca.key)
	capath := b.zoo.Path("capath")
	b.keep(os.MkdirAll(capath, 0o755))
	b.writePEM(filepath.Join("capath", "ca.pem"), &pem.Block{Type: "CERTIFICATE", Bytes: b.ca.cert.Raw}, 0o644)
}

func (b *builder) servers() {
	local := []string{"localhost", "127.0.0.1", "::1"}
	b.leaf("server", b.ca, forServer(b.template("localhost", current), local...))
	b.leaf("other-host", b.ca, forServer(b.template("broker.example.com", current), "broker.example.com"))
	b.leaf("wildcard", b.ca, forServer(b.template("wildcard", current), "*.example.com"))
	b.leaf("expired", b.ca, forServer(b.template("localhost", old), local...))
	b.leaf("not-yet", b.ca, forServer(b.template("localhost", future), local...))
	b.leaf("self-signed", nil, forServer(b.template("localhost", current), local...))
	b.leaf("wrong-ca", b.other, forServer(b.template("localhost", current), local...))
	b.leaf("cn-only", b.ca, forServer(b.template("localhost", current)))
	b.leaf("outside", b.narrow, forServer(b.template("localhost", current), local...))
	usage := forServer(b.template("localhost", current), local...)
	b.leaf("wrong-usage", b.ca, forClient(usage))
	b.leaf("hostile", b.other, forServer(b.template(Hostile, current), Hostile, "localhost"))
}

func (b *builder) clients() {
	key := b.leaf("client", b.ca, forClient(b.template("mq zoo client", current)))
	b.leaf("client-expired", b.ca, forClient(b.template("mq zoo expired client", old)))
	b.leaf("client-other-ca", b.other, forClient(b.template("mq zoo other client", current)))
	if b.err == nil {
		b.encrypted(key)
	}
}

func (b *builder) encrypted(key *ecdsa.PrivateKey) {
	der, err := pkcs8.MarshalPrivateKey(key, []byte(Passphrase), nil)
	b.keep(err)
	b.writePEM("client-encrypted.key", &pem.Block{Type: "ENCRYPTED PRIVATE KEY", Bytes: der}, 0o600)
	der, err = x509.MarshalECPrivateKey(key)
	b.keep(err)
	//lint:ignore SA1019 the point is a key as old tools write it
	block, err := x509.EncryptPEMBlock(rnd, "EC PRIVATE KEY", der, []byte(Passphrase), x509.PEMCipherAES128)
	b.keep(err)
	b.writePEM("client-encrypted-legacy.key", block, 0o600)
}

func (b *builder) keep(err error) {
	if b.err == nil {
		b.err = err
	}
}
