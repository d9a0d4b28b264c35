package tlsconf

import (
	"crypto/tls"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// demanding is a server that wants a client certificate signed by the zoo's CA.
func demanding(t *testing.T, version uint16) *tls.Config {
	t.Helper()
	cfg, err := ServerConfig(zf("server.pem"), zf("server.key"), zf("ca.pem"), true)
	if err != nil {
		t.Fatal(err)
	}
	cfg.MaxVersion = version
	return cfg
}

func TestExplainClientCertificate(t *testing.T) {
	const (
		tls12, tls13 = tls.VersionTLS12, tls.VersionTLS13
		another      = "pass one signed by a CA that the server trusts: --cert FILE --key FILE"
		trust        = "or let the server trust that CA (mosquitto.conf: cafile)"
	)
	tests := []struct {
		name, client   string
		version        uint16
		unknown, known explained // without and with the options
	}{
		{"none", "", tls12,
			explained{"the server refused the TLS handshake (handshake failure): no common cipher suite, or it demands a client certificate",
				[]string{hintClientCert, "or drop --ciphers and --tls-version"}, true},
			explained{"the server refused the TLS handshake (handshake failure): no common cipher suite, or it demands a client certificate",
				[]string{hintClientCert}, true}},
		{"none", "", tls13,
			explained{"the server demands a client certificate", []string{hintClientCert}, true},
			explained{"the server demands a client certificate", []string{hintClientCert}, true}},
		{"expired", "client-expired", tls12,
			explained{"the server refused the client certificate: it has expired or is not yet valid",
				[]string{"pass one that is valid today: --cert FILE --key FILE"}, true},
			explained{`the server refused the client certificate "mq zoo expired client" in --cert "client-expired.pem": it has expired or is not yet valid`,
				[]string{"pass one that is valid today: --cert FILE --key FILE"}, true}},
		{"of another CA", "client-other-ca", tls12,
			explained{"the server refused the client certificate: it does not trust its issuer", []string{another, trust}, true},
			explained{`the server refused the client certificate "mq zoo other client" in --cert "client-other-ca.pem": it does not trust its issuer`,
				[]string{another, trust}, true}},
		{"for servers only", "server", tls12,
			explained{"the server refused the client certificate, or demands one and got none", []string{hintClientCert}, true},
			explained{`the server refused the client certificate "localhost" in --cert "server.pem" (bad certificate)`,
				[]string{"pass a certificate that the server accepts: --cert FILE --key FILE"}, true}},
	}
	for _, tt := range tests {
		for _, version := range []uint16{tls12, tls13} {
			if tt.client == "" && version != tt.version {
				continue
			}
			t.Run(tt.name+"/"+tls.VersionName(version), func(t *testing.T) {
				o := Options{CAFile: zf("ca.pem")}
				if tt.client != "" {
					o.CertFile, o.KeyFile = zf(tt.client+".pem"), zf(tt.client+".key")
				}
				err := shake(t, listen(t, greet(demanding(t, version))), config(t, o, "localhost"))
				checkBoth(t, err, o, tt.unknown, tt.known)
			})
		}
	}
}

// checkBoth compares what is said without and with knowledge of the options.
func checkBoth(t *testing.T, err error, o Options, unknown, known explained) {
	t.Helper()
	if err == nil {
		t.Fatal("the handshake succeeded")
	}
	if !IsAlert(err) {
		t.Errorf("IsAlert(%v) = false", err)
	}
	var got explained
	got.Reason, got.Hints, got.OK = Explain(err, "localhost")
	if diff := cmp.Diff(unknown, got); diff != "" {
		t.Errorf("Explain(%v):\n%s", err, diff)
	}
	got.Reason, got.Hints, got.OK = o.Explain(err, "localhost")
	got.Reason = unzoo(got.Reason)
	if diff := cmp.Diff(known, got); diff != "" {
		t.Errorf("Options.Explain(%v):\n%s", err, diff)
	}
}

func TestExplainOffer(t *testing.T) {
	ca := zf("ca.pem")
	const failure = "the server refused the TLS handshake (handshake failure): no common cipher suite, or it "
	none := "the server speaks none of the TLS versions offered"
	tests := []struct {
		name           string
		server         func(*tls.Config)
		opts           Options
		unknown, known explained
	}{
		{"version pinned", func(c *tls.Config) { c.MinVersion = tls.VersionTLS13 }, Options{CAFile: ca, Version: "tlsv1.2"},
			explained{none, []string{"drop --tls-version, or for an old server try --tls-version tlsv1.1"}, true},
			explained{none, []string{"drop --tls-version"}, true}},
		{"server too old", func(c *tls.Config) { c.MinVersion, c.MaxVersion = tls.VersionTLS11, tls.VersionTLS11 }, Options{CAFile: ca},
			explained{none, []string{"drop --tls-version, or for an old server try --tls-version tlsv1.1"}, true},
			explained{none, []string{"try an older version: --tls-version tlsv1.1"}, true}},
		{"no common cipher", func(c *tls.Config) { c.CipherSuites = []uint16{tls.TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256} },
			Options{CAFile: ca, Version: "tlsv1.2", Ciphers: "ECDHE-ECDSA-AES256-GCM-SHA384", CertFile: zf("client.pem"), KeyFile: zf("client.key")},
			explained{failure + "demands a client certificate", []string{hintClientCert, "or drop --ciphers and --tls-version"}, true},
			explained{failure + "does not accept the client certificate", []string{"drop --ciphers, or name other suites", "drop --tls-version"}, true}},
		{"ALPN", func(c *tls.Config) { c.NextProtos = []string{"mqtt"} }, Options{CAFile: ca, ALPN: []string{"x-amzn-mqtt-ca", "h2"}},
			explained{"the server speaks none of the ALPN protocols offered", []string{"offer the one it wants, such as --tls-alpn mqtt, or drop --tls-alpn"}, true},
			explained{`the server speaks none of the ALPN protocols offered ("x-amzn-mqtt-ca", "h2")`,
				[]string{"drop --tls-alpn, or offer another: --tls-alpn mqtt"}, true}},
		{"server name", func(c *tls.Config) {
			c.Certificates = nil
			c.GetCertificate = func(*tls.ClientHelloInfo) (*tls.Certificate, error) { return nil, nil }
		}, Options{CAFile: ca, ServerName: "other.example.com"},
			explained{`the server has no certificate for "localhost"`, []string{"ask for a name that it serves: --tls-server-name NAME"}, true},
			explained{`the server has no certificate for "other.example.com"`, []string{"ask for a name that it serves: --tls-server-name NAME"}, true}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			cfg := serverOf(t, "server", 0)
			tt.server(cfg)
			checkBoth(t, shake(t, listen(t, greet(cfg)), config(t, tt.opts, "localhost")), tt.opts, tt.unknown, tt.known)
		})
	}
}

// rawAlert is the record of a fatal alert.
func rawAlert(a tls.AlertError) string { return string([]byte{21, 3, 3, 0, 2, 2, byte(a)}) }

func TestExplainRareAlerts(t *testing.T) {
	other := []string{"pass a certificate that the server accepts: --cert FILE --key FILE"}
	sent := Options{CAFile: zf("ca.pem"), CertFile: zf("client.pem"), KeyFile: zf("client.key")}
	mine := `the client certificate "mq zoo client" in --cert "client.pem"`
	tests := []struct {
		alert tls.AlertError
		opts  Options
		want  explained
	}{
		{alertBadCertificate, Options{}, explained{"the server demands a client certificate (bad certificate alert)", []string{hintClientCert}, true}},
		{alertUnsupportedCert, sent, explained{"the server refused " + mine + " (unsupported certificate)", other, true}},
		{alertCertRevoked, sent, explained{"the server refused " + mine + " (revoked certificate)", other, true}},
		{alertCertUnknown, sent, explained{"the server refused " + mine + " (unknown certificate)", other, true}},
		{alertDecryptError, sent, explained{"the server refused " + mine + " (error decrypting message)", other, true}},
		{alertAccessDenied, sent, explained{"the server accepted " + mine + " but denies it access", other, true}},
		{alertAccessDenied, Options{}, explained{"the server denies access", []string{hintClientCert}, true}},
		{alertInsufficientSecurity, Options{}, explained{
			"the server refused the TLS handshake (insufficient security level): no common cipher suite, or it demands a client certificate",
			[]string{hintClientCert}, true}},
		{alertUnknownPSK, Options{}, explained{"the server expects a pre-shared key, which is not supported",
			[]string{"connect to a listener that uses certificates"}, true}},
		{alertInternalError, Options{}, explained{"the server failed inside (internal error alert)", []string{"look into the server's log"}, true}},
		{alertInternalError, Options{Version: "tlsv1.1"}, explained{"the server failed inside (internal error alert)",
			[]string{"look into the server's log", "or drop --tls-version"}, true}},
		{tls.AlertError(60), Options{}, explained{"the server ended the TLS handshake (export restriction, alert 60)", nil, true}},
	}
	for _, tt := range tests {
		t.Run(fmt.Sprintf("%d/%v%s", tt.alert, tt.opts.CertFile != "", tt.opts.Version), func(t *testing.T) {
			err := shake(t, listen(t, rawReply(rawAlert(tt.alert))), config(t, tt.opts, "localhost"))
			var got explained
			got.Reason, got.Hints, got.OK = tt.opts.Explain(err, "localhost")
			got.Reason = unzoo(got.Reason)
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Errorf("%v\n%s", err, diff)
			}
		})
	}
}

// TestExplainEveryAlert holds that no alert is left without words, with and without options.
func TestExplainEveryAlert(t *testing.T) {
	o := Options{Insecure: true}
	for a := range 256 {
		err := shake(t, listen(t, rawReply(rawAlert(tls.AlertError(a)))), config(t, o, "localhost"))
		for _, f := range []func(error, string) (string, []string, bool){Explain, o.Explain} {
			reason, _, ok := f(err, "localhost")
			if !ok || reason == "" || strings.Contains(reason, "tls: ") {
				t.Errorf("alert %d: %q, %v (%v)", a, reason, ok, err)
			}
		}
	}
}

func TestExplainClientCertificateFileGone(t *testing.T) {
	o := Options{CertFile: "gone.pem", KeyFile: "gone.key"}
	err := shake(t, listen(t, rawReply(rawAlert(alertCertRevoked))), &tls.Config{ServerName: "localhost"})
	reason, _, _ := o.Explain(err, "localhost")
	if want := `the server refused the client certificate in --cert "gone.pem" (revoked certificate)`; reason != want {
		t.Errorf("got %s, want %s", reason, want)
	}
}
