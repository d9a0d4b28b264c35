package zoo

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"math/big"
	"net"
	"os"
	"time"
)

var rnd = rand.Reader

// period is when a certificate is valid.
type period struct{ from, to time.Time }

var (
	old    = period{time.Date(2020, 1, 1, 0, 0, 0, 0, time.UTC), time.Date(2020, 12, 31, 23, 59, 59, 0, time.UTC)}
	future = period{time.Date(2100, 1, 1, 0, 0, 0, 0, time.UTC), time.Date(2100, 12, 31, 23, 59, 59, 0, time.UTC)}
	// current is a day, with an hour's grace for clocks of containers and virtual machines.
	current = period{time.Now().Add(-time.Hour), time.Now().Add(24 * time.Hour)}
)

type authority struct {
	cert *x509.Certificate
	key  *ecdsa.PrivateKey
}

func (b *builder) template(cn string, p period) *x509.Certificate {
	b.serial++
	return &x509.Certificate{
		SerialNumber: big.NewInt(b.serial),
		Subject:      pkix.Name{CommonName: cn, Organization: []string{"mq test zoo, do not trust"}},
		NotBefore:    p.from, NotAfter: p.to,
		KeyUsage:              x509.KeyUsageDigitalSignature,
		BasicConstraintsValid: true,
	}
}

func asCA(t *x509.Certificate) {
	t.IsCA, t.KeyUsage = true, x509.KeyUsageCertSign
}

func forServer(t *x509.Certificate, hosts ...string) *x509.Certificate {
	t.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}
	for _, h := range hosts {
		if ip := net.ParseIP(h); ip != nil {
			t.IPAddresses = append(t.IPAddresses, ip)
		} else {
			t.DNSNames = append(t.DNSNames, h)
		}
	}
	return t
}

func forClient(t *x509.Certificate) *x509.Certificate {
	t.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}
	return t
}

func (b *builder) authority(name string, t *x509.Certificate) *authority {
	asCA(t)
	key := b.newKey()
	if b.err != nil {
		return nil
	}
	return &authority{b.issue(name, t, &authority{t, key}, key), key}
}

// leaf issues a certificate with a new key, signed by itself without a CA.
func (b *builder) leaf(name string, ca *authority, t *x509.Certificate) *ecdsa.PrivateKey {
	key := b.newKey()
	if b.err != nil {
		return nil
	}
	if ca == nil {
		ca = &authority{t, key}
	}
	b.issue(name, t, ca, key)
	return key
}

func (b *builder) newKey() *ecdsa.PrivateKey {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rnd)
	b.keep(err)
	return key
}

func (b *builder) issue(name string, t *x509.Certificate, by *authority, key *ecdsa.PrivateKey) *x509.Certificate {
	der, err := x509.CreateCertificate(rnd, t, by.cert, &key.PublicKey, by.key)
	b.keep(err)
	b.writePEM(name+".pem", &pem.Block{Type: "CERTIFICATE", Bytes: der}, 0o644)
	pk, err := x509.MarshalPKCS8PrivateKey(key)
	b.keep(err)
	b.writePEM(name+".key", &pem.Block{Type: "PRIVATE KEY", Bytes: pk}, 0o600)
	cert, err := x509.ParseCertificate(der)
	b.keep(err)
	return cert
}

func (b *builder) writePEM(name string, block *pem.Block, mode os.FileMode) {
	if b.err == nil {
		b.err = os.WriteFile(b.zoo.Path(name), pem.EncodeToMemory(block), mode)
	}
}
