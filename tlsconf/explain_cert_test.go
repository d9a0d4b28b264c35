package tlsconf

import (
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"errors"
	"math/big"
	"net"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// explained is all that Explain returns.
type explained struct {
	Reason string
	Hints  []string
	OK     bool
}

func serverOf(t *testing.T, name string, version uint16) *tls.Config {
	t.Helper()
	cfg, err := ServerConfig(zf(name+".pem"), zf(name+".key"), "", false)
	if err != nil {
		t.Fatal(err)
	}
	cfg.MaxVersion = version
	return cfg
}

const (
	zooCA   = "trust its CA: --cafile FILE, with the certificate of \"mq zoo CA\" in FILE"
	otherCA = "trust its CA: --cafile FILE, with the certificate of \"mq zoo other CA\" in FILE"
	clock   = "check this machine's clock: date -u"
)

// certTest is a server's certificate and what is said of it.
type certTest struct {
	name, server, cafile, host string
	want                       explained
}

func TestExplainTrust(t *testing.T) {
	checkCerts(t, []certTest{
		{"unknown authority", "wrong-ca", "ca.pem", "localhost", explained{
			`the server's certificate "localhost" is signed by "mq zoo other CA", which is not trusted here`,
			[]string{otherCA, hintInsecure}, true}},
		{"unknown to the operating system", "server", "", "localhost", explained{
			`the server's certificate "localhost" is signed by "mq zoo CA", which is not trusted here`,
			[]string{zooCA, hintInsecure}, true}},
		{"a CA made anew", "server", "twin-ca.pem", "localhost", explained{
			`the server's certificate "localhost" is signed by "mq zoo CA", and the certificate trusted here under that name does not fit: ECDSA verification failure`,
			[]string{`get the current certificate of "mq zoo CA" and pass it: --cafile FILE`, hintInsecure}, true}},
		{"self-signed", "self-signed", "ca.pem", "localhost", explained{
			`the server's certificate "localhost" is self-signed and not trusted here`,
			[]string{"if it is the one you expect, save it in FILE and pass it: --cafile FILE", hintInsecure}, true}},
		{"expired", "expired", "ca.pem", "localhost", explained{
			`the server's certificate "localhost" expired on 2020-12-31 23:59:59 UTC`,
			[]string{"renew it on the server", "if it should be valid, " + clock, hintInsecure}, true}},
		{"not yet valid", "not-yet", "ca.pem", "localhost", explained{
			`the server's certificate "localhost" is not valid before 2100-01-01 00:00:00 UTC`,
			[]string{clock, hintInsecure}, true}},
		{"a client's certificate", "wrong-usage", "ca.pem", "localhost", explained{
			`the server's certificate "localhost" is not meant for servers: its extended key usage lacks serverAuth`,
			[]string{"reissue it with extendedKeyUsage=serverAuth", hintInsecure}, true}},
		{"name constraints", "outside", "constrained-ca.pem", "localhost", explained{
			`the server's certificate "localhost" is not acceptable: a root or intermediate certificate is not authorized to sign for this name: DNS name "localhost" is not permitted by any constraint`,
			[]string{hintInsecure}, true}},
		{"hostile names", "hostile", "ca.pem", "localhost", explained{
			`the server's certificate "evil\x1b[31m\x1b[2J\r\n$(touch x)" is signed by "mq zoo other CA", which is not trusted here`,
			[]string{otherCA, hintInsecure}, true}},
		{"expired CA", "server", "expired-ca.pem", "localhost", explained{
			`the CA certificate "mq zoo CA" expired on 2020-12-31 23:59:59 UTC`,
			[]string{"get its current certificate and pass it: --cafile FILE", "if it should be valid, " + clock, hintInsecure}, true}},
	})
}

func TestExplainName(t *testing.T) {
	checkCerts(t, []certTest{
		{"another host", "other-host", "ca.pem", "localhost", explained{
			`the server's certificate "broker.example.com" is valid for "broker.example.com", not for "localhost"`,
			[]string{"connect by a name that the certificate has: -h broker.example.com",
				"or keep the address and check against that name: --tls-server-name broker.example.com", hintInsecure}, true}},
		{"another name", "server", "ca.pem", "broker", explained{
			`the server's certificate "localhost" is valid for "localhost", "127.0.0.1", "::1", not for "broker"`,
			[]string{"connect by a name that the certificate has: -h localhost",
				"or keep the address and check against that name: --tls-server-name localhost", hintInsecure}, true}},
		{"a wildcard is no suggestion", "wildcard", "ca.pem", "localhost", explained{
			`the server's certificate "wildcard" is valid for "*.example.com", not for "localhost"`,
			[]string{"connect by a name that the certificate has: -h NAME",
				"or keep the address and check against that name: --tls-server-name NAME", hintInsecure}, true}},
		{"another address", "server", "ca.pem", "127.0.0.2", explained{
			`the server's certificate "localhost" is valid for "localhost", "127.0.0.1", "::1", not for "127.0.0.2"`,
			[]string{"connect by a name that the certificate has: -h localhost",
				"or keep the address and check against that name: --tls-server-name localhost", hintInsecure}, true}},
		{"an address and no IP SAN", "other-host", "ca.pem", "127.0.0.1", explained{
			`the server's certificate "broker.example.com" is valid for "broker.example.com" and for no IP address, so not for "127.0.0.1"`,
			[]string{"connect by a name that the certificate has: -h broker.example.com",
				"or keep the address and check against that name: --tls-server-name broker.example.com", hintInsecure}, true}},
		{"no SAN at all", "cn-only", "ca.pem", "localhost", explained{
			`the server's certificate "localhost" has no subject alternative names, so it is valid for no host; its common name does not count`,
			[]string{"reissue it with subjectAltName=DNS:localhost", hintInsecure}, true}},
		{"no SAN at all, by address", "cn-only", "ca.pem", "::1", explained{
			`the server's certificate "localhost" has no subject alternative names, so it is valid for no host; its common name does not count`,
			[]string{"reissue it with subjectAltName=IP:::1", hintInsecure}, true}},
		{"hostile names, trusted", "hostile", "other-ca.pem", "broker", explained{
			`the server's certificate "evil\x1b[31m\x1b[2J\r\n$(touch x)" is valid for "evil\x1b[31m\x1b[2J\r\n$(touch x)", "localhost", not for "broker"`,
			[]string{"connect by a name that the certificate has: -h localhost",
				"or keep the address and check against that name: --tls-server-name localhost", hintInsecure}, true}},
	})
}

func checkCerts(t *testing.T, tests []certTest) {
	for _, tt := range tests {
		for _, version := range []uint16{tls.VersionTLS12, tls.VersionTLS13} {
			t.Run(tt.name+"/"+tls.VersionName(version), func(t *testing.T) {
				addr := listen(t, greet(serverOf(t, tt.server, version)))
				err := shake(t, addr, config(t, Options{CAFile: zf(tt.cafile)}, tt.host))
				if err == nil {
					t.Fatal("the handshake succeeded")
				}
				var got explained
				got.Reason, got.Hints, got.OK = Explain(err, tt.host)
				if diff := cmp.Diff(tt.want, got); diff != "" {
					t.Errorf("%v\n%s", err, diff)
				}
			})
		}
	}
}

func TestQuoteAllCountsTheRest(t *testing.T) {
	long := strings.Repeat("x", 200)
	got := quoteAll([]string{"a", "b", "c", "d", long, "f", "g"})
	want := `"a", "b", "c", "d", "` + long[:100] + `..." and 2 more`
	if got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}

func TestExplainNoSystemStore(t *testing.T) {
	var got explained
	got.Reason, got.Hints, got.OK = Explain(&tls.CertificateVerificationError{Err: x509.SystemRootsError{}}, "localhost")
	want := explained{"the operating system's trust store cannot be read",
		[]string{"install it (Debian: apt install ca-certificates), or pass the server's CA: --cafile FILE"}, true}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

func TestExplainUnknownVerificationError(t *testing.T) {
	var got explained
	got.Reason, got.Hints, got.OK = Explain(&tls.CertificateVerificationError{
		UnverifiedCertificates: []*x509.Certificate{{Subject: pkix.Name{CommonName: "broker"}}},
		Err:                    errors.New("x509: rung \a bell"),
	}, "localhost")
	want := explained{`the server's certificate "broker" is not acceptable: "rung \a bell"`, []string{hintInsecure}, true}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

func TestLabels(t *testing.T) {
	org := pkix.Name{Organization: []string{"ACME\x1b[m"}}
	tests := []struct {
		name          string
		cert          x509.Certificate
		label, issuer string
	}{
		{"common names", x509.Certificate{Subject: pkix.Name{CommonName: "a"}, Issuer: pkix.Name{CommonName: "b"}}, `"a"`, `"b"`},
		{"alternative name", x509.Certificate{DNSNames: []string{"a", "b"}, Issuer: org}, `"a"`, `"O=ACME\x1b[m"`},
		{"address", x509.Certificate{IPAddresses: []net.IP{net.IPv6loopback}}, `"::1"`, "an issuer without a name"},
		{"nothing", x509.Certificate{SerialNumber: big.NewInt(7)}, "with serial number 7", "an issuer without a name"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got := []string{certLabel(&tt.cert), issuerLabel(&tt.cert)}
			if diff := cmp.Diff([]string{tt.label, tt.issuer}, got); diff != "" {
				t.Error(diff)
			}
		})
	}
}
