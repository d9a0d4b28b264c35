package tlsconf

import (
	"crypto/tls"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestConfigConnects(t *testing.T) {
	tests := []struct {
		name   string
		server string
		host   string
		opts   Options
		change func(*tls.Config)
	}{
		{"CA file", "server", "localhost", Options{CAFile: "ca.pem"}, nil},
		{"CA directory", "server", "localhost", Options{CAPath: "capath"}, nil},
		{"CA file and the OS's", "server", "localhost", Options{CAFile: "ca.pem", UseOSCerts: true}, nil},
		{"IPv4 address", "server", "127.0.0.1", Options{CAFile: "ca.pem"}, nil},
		{"IPv6 address", "server", "::1", Options{CAFile: "ca.pem"}, nil},
		{"IPv6 address in brackets with zone", "server", "[::1%lo]", Options{CAFile: "ca.pem"}, nil},
		{"wildcard", "wildcard", "broker.example.com", Options{CAFile: "ca.pem"}, nil},
		{"server name", "other-host", "localhost", Options{CAFile: "ca.pem", ServerName: "broker.example.com"}, nil},
		{"the self-signed certificate as CA", "self-signed", "localhost", Options{CAFile: "self-signed.pem"}, nil},
		{"insecure, unknown CA", "wrong-ca", "localhost", Options{CAFile: "ca.pem", Insecure: true}, nil},
		{"insecure, expired", "expired", "localhost", Options{Insecure: true}, nil},
		{"insecure, without host", "other-host", "", Options{Insecure: true}, nil},
		{"client certificate", "server", "localhost", Options{CAFile: "ca.pem", CertFile: "client.pem", KeyFile: "client.key"},
			func(c *tls.Config) { c.ClientAuth = tls.RequireAnyClientCert }},
		{"ALPN", "server", "localhost", Options{CAFile: "ca.pem", ALPN: []string{"mqtt"}},
			func(c *tls.Config) { c.NextProtos = []string{"mqtt"} }},
		{"TLS 1.1", "server", "localhost", Options{CAFile: "ca.pem", Version: "tlsv1.1"},
			func(c *tls.Config) { c.MinVersion, c.MaxVersion = tls.VersionTLS11, tls.VersionTLS11 }},
		{"TLS 1.2", "server", "localhost", Options{CAFile: "ca.pem", Version: "tlsv1.2"}, nil},
		{"TLS 1.3", "server", "localhost", Options{CAFile: "ca.pem", Version: "tlsv1.3"},
			func(c *tls.Config) { c.MinVersion = tls.VersionTLS13 }},
		{"cipher", "server", "localhost", Options{CAFile: "ca.pem", Version: "tlsv1.2", Ciphers: "ECDHE-ECDSA-AES256-GCM-SHA384"},
			func(c *tls.Config) { c.CipherSuites = []uint16{tls.TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384} }},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			o := tt.opts
			for _, f := range []*string{&o.CAFile, &o.CAPath, &o.CertFile, &o.KeyFile} {
				*f = zf(*f)
			}
			server := serverOf(t, tt.server, 0)
			if tt.change != nil {
				tt.change(server)
			}
			if err := shake(t, listen(t, greet(server)), config(t, o, tt.host)); err != nil {
				t.Error(err)
			}
		})
	}
}

// TestClientCertIsSentWhateverTheServerAsksFor: crypto/tls alone would withhold it from a server that names other CAs.
func TestClientCertIsSentWhateverTheServerAsksFor(t *testing.T) {
	var got []string
	server := demanding(t, tls.VersionTLS13)
	server.ClientAuth = tls.RequestClientCert
	server.VerifyConnection = func(s tls.ConnectionState) error {
		for _, c := range s.PeerCertificates {
			got = append(got, c.Subject.CommonName)
		}
		return nil
	}
	o := Options{CAFile: zf("ca.pem"), CertFile: zf("client-other-ca.pem"), KeyFile: zf("client-other-ca.key")}
	if err := shake(t, listen(t, greet(server)), config(t, o, "localhost")); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]string{"mq zoo other client"}, got); diff != "" {
		t.Error(diff)
	}
}

func TestConfigRefuses(t *testing.T) {
	tests := []struct {
		name, host string
		opts       Options
		want       failure
	}{
		{"no host", "", Options{}, failure{"--tls-server-name: no host name to check the server's certificate against",
			[]string{"say which name it must carry: --tls-server-name NAME"}}},
		{"certificate alone", "h", Options{CertFile: "a.pem"}, failure{`--cert "a.pem": needs the certificate's private key too`,
			[]string{"add --key FILE"}}},
		{"key alone", "h", Options{KeyFile: "a.key"}, failure{`--key "a.key": needs the key's certificate too`,
			[]string{"add --cert FILE"}}},
		{"version", "h", Options{Version: "tlsv1.0"}, failure{`--tls-version "tlsv1.0": unknown version`,
			[]string{"use one of tlsv1.3, tlsv1.2, tlsv1.1"}}},
		{"empty ALPN", "h", Options{ALPN: []string{""}}, failure{`--tls-alpn: a protocol name is 1 to 255 bytes long`, nil}},
		{"long ALPN", "h", Options{ALPN: []string{strings.Repeat("x", 256)}},
			failure{`--tls-alpn "` + strings.Repeat("x", 256) + `": a protocol name is 1 to 255 bytes long`, nil}},
		{"ciphers for TLS 1.3", "h", Options{Version: "tlsv1.3", Ciphers: "ECDHE-RSA-AES128-GCM-SHA256"},
			failure{`--ciphers "ECDHE-RSA-AES128-GCM-SHA256": the cipher suites of TLS 1.3 cannot be chosen`,
				[]string{"leave out --ciphers, or use --tls-version tlsv1.2"}}},
		{"cipher unknown", "h", Options{Ciphers: "ROT13-SHA"}, failure{`--ciphers "ROT13-SHA": unknown cipher suite`,
			[]string{"use one of ECDHE-ECDSA-AES128-SHA, ECDHE-ECDSA-AES256-SHA, ECDHE-RSA-AES128-SHA"}}},
		{"key log", "h", Options{KeyLogFile: filepath.Join(zf("gone"), "keys")}, failure{`--tls-keylog "keys": no such file or directory`, nil}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			cfg, err := tt.opts.Config(tt.host)
			if diff := cmp.Diff(tt.want, failed(t, err, zf("gone"))); diff != "" || cfg != nil {
				t.Errorf("config %v\n%s", cfg, diff)
			}
		})
	}
}

func TestKeyLog(t *testing.T) {
	file := write(t, "keys", "# before\n")
	cfg := config(t, Options{CAFile: zf("ca.pem"), KeyLogFile: file}, "localhost")
	if err := shake(t, listen(t, greet(serverOf(t, "server", tls.VersionTLS12))), cfg); err != nil {
		t.Fatal(err)
	}
	data, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	var labels []string
	for line := range strings.Lines(string(data)) {
		labels = append(labels, strings.Fields(line)[0])
	}
	if diff := cmp.Diff([]string{"#", "CLIENT_RANDOM"}, labels); diff != "" {
		t.Error(diff)
	}
}

func TestKeyLogIsPrivate(t *testing.T) {
	file := filepath.Join(t.TempDir(), "keys")
	config(t, Options{KeyLogFile: file}, "localhost")
	fi, err := os.Stat(file)
	if err != nil {
		t.Fatal(err)
	}
	if mode := fi.Mode().Perm(); mode != 0o600 && os.PathSeparator == '/' {
		t.Errorf("mode %o, want 600", mode)
	}
}
