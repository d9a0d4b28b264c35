package tlsconf

import (
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"reflect"
	"strings"
)

// The alerts of RFC 8446 section 6 that have an explanation of their own.
const (
	alertHandshakeFailure     tls.AlertError = 40
	alertBadCertificate       tls.AlertError = 42
	alertUnsupportedCert      tls.AlertError = 43
	alertCertRevoked          tls.AlertError = 44
	alertCertExpired          tls.AlertError = 45
	alertCertUnknown          tls.AlertError = 46
	alertUnknownCA            tls.AlertError = 48
	alertAccessDenied         tls.AlertError = 49
	alertDecryptError         tls.AlertError = 51
	alertProtocolVersion      tls.AlertError = 70
	alertInsufficientSecurity tls.AlertError = 71
	alertInternalError        tls.AlertError = 80
	alertUnrecognizedName     tls.AlertError = 112
	alertUnknownPSK           tls.AlertError = 115
	alertCertRequired         tls.AlertError = 116
	alertNoALPN               tls.AlertError = 120
)

// alertOf finds the alert in err. crypto/tls wraps a type of its own in a net.OpError, which only reflection can tell
// from other errors.
func alertOf(err error) (a tls.AlertError, remote, ok bool) {
	var op *net.OpError
	if !errors.As(err, &op) || op.Op != "remote error" && op.Op != "local error" {
		return 0, false, false
	}
	v := reflect.ValueOf(op.Err)
	if v.Kind() != reflect.Uint8 {
		return 0, false, false
	}
	return tls.AlertError(v.Uint()), op.Op == "remote error", true
}

// alertName is the alert's text without the package's prefix.
func alertName(a tls.AlertError) string { return strings.TrimPrefix(a.Error(), "tls: ") }

func (e explainer) alert(err error) (string, []string, bool) {
	a, remote, ok := alertOf(err)
	if !ok {
		return "", nil, false
	}
	if !remote {
		return fmt.Sprintf("the server broke the TLS protocol (%s)", alertName(a)), []string{hintTLSPort}, true
	}
	for _, f := range []func(tls.AlertError) (string, []string){e.refusedCert, e.refusedOffer} {
		if reason, hints := f(a); reason != "" {
			return reason, hints, true
		}
	}
	return fmt.Sprintf("the server ended the TLS handshake (%s, alert %d)", alertName(a), a), nil, true
}

// refusedCert explains the alerts about the client's certificate.
func (e explainer) refusedCert(a tls.AlertError) (string, []string) {
	other := []string{"pass a certificate that the server accepts: " + flagCert + " FILE " + flagKey + " FILE"}
	sent := e.opts == nil || e.opts.CertFile != ""
	switch a {
	case alertCertRequired:
		return "the server demands a client certificate", []string{hintClientCert}
	case alertBadCertificate:
		if e.opts == nil {
			return "the server refused the client certificate, or demands one and got none", []string{hintClientCert}
		}
		if !sent {
			return "the server demands a client certificate (bad certificate alert)", []string{hintClientCert}
		}
		return "the server refused " + e.clientCert() + " (bad certificate)", other
	case alertCertExpired:
		return "the server refused " + e.clientCert() + ": it has expired or is not yet valid",
			[]string{"pass one that is valid today: " + flagCert + " FILE " + flagKey + " FILE"}
	case alertUnknownCA:
		return "the server refused " + e.clientCert() + ": it does not trust its issuer",
			[]string{"pass one signed by a CA that the server trusts: " + flagCert + " FILE " + flagKey + " FILE",
				"or let the server trust that CA (mosquitto.conf: cafile)"}
	case alertUnsupportedCert, alertCertRevoked, alertCertUnknown, alertDecryptError:
		return "the server refused " + e.clientCert() + " (" + alertName(a) + ")", other
	case alertAccessDenied:
		if sent {
			return "the server accepted " + e.clientCert() + " but denies it access", other
		}
		return "the server denies access", []string{hintClientCert}
	}
	return "", nil
}

// clientCert names the certificate that was sent, as closely as the options allow.
func (e explainer) clientCert() string {
	if e.opts == nil || e.opts.CertFile == "" {
		return "the client certificate"
	}
	certs, err := readCerts(flagCert, e.opts.CertFile)
	if err != nil {
		return fmt.Sprintf("the client certificate in %s %q", flagCert, e.opts.CertFile)
	}
	return fmt.Sprintf("the client certificate %s in %s %q", certLabel(certs[0]), flagCert, e.opts.CertFile)
}

// refusedOffer explains the alerts about what the client proposed.
func (e explainer) refusedOffer(a tls.AlertError) (string, []string) {
	switch a {
	case alertHandshakeFailure, alertInsufficientSecurity:
		return e.noCommon(a)
	case alertProtocolVersion:
		return "the server speaks none of the TLS versions offered", e.versionHints()
	case alertNoALPN:
		if e.opts != nil && len(e.opts.ALPN) > 0 {
			return fmt.Sprintf("the server speaks none of the ALPN protocols offered (%s)", quoteAll(e.opts.ALPN)),
				[]string{"drop " + flagALPN + ", or offer another: " + flagALPN + " mqtt"}
		}
		return "the server speaks none of the ALPN protocols offered", []string{"offer the one it wants, such as " + flagALPN + " mqtt, or drop " + flagALPN}
	case alertUnrecognizedName:
		name := e.host
		if e.opts != nil && e.opts.ServerName != "" {
			name = e.opts.ServerName
		}
		return fmt.Sprintf("the server has no certificate for %q", name),
			[]string{"ask for a name that it serves: " + flagServerName + " NAME"}
	case alertUnknownPSK:
		return "the server expects a pre-shared key, which is not supported", []string{"connect to a listener that uses certificates"}
	case alertInternalError:
		hints := []string{"look into the server's log"}
		if e.opts == nil || e.opts.Version != "" {
			hints = append(hints, "or drop "+flagVersion) // OpenSSL 3 sends this to TLS 1.1 clients
		}
		return "the server failed inside (internal error alert)", hints
	}
	return "", nil
}

// noCommon explains the alert that servers send for most disagreements: below TLS 1.3 it also stands for a missing
// client certificate.
func (e explainer) noCommon(a tls.AlertError) (string, []string) {
	reason := "the server refused the TLS handshake (" + alertName(a) + "): no common cipher suite, or it demands a client certificate"
	if e.opts == nil {
		return reason, []string{hintClientCert, "or drop " + flagCiphers + " and " + flagVersion}
	}
	var hints []string
	if e.opts.Ciphers != "" {
		hints = append(hints, "drop "+flagCiphers+", or name other suites")
	}
	if e.opts.Version != "" {
		hints = append(hints, "drop "+flagVersion)
	}
	if e.opts.CertFile == "" {
		hints = append(hints, hintClientCert)
	} else {
		reason = "the server refused the TLS handshake (" + alertName(a) + "): no common cipher suite, or it does not accept the client certificate"
	}
	return reason, hints
}

func (e explainer) versionHints() []string {
	switch {
	case e.opts == nil:
		return []string{"drop " + flagVersion + ", or for an old server try " + flagVersion + " tlsv1.1"}
	case e.opts.Version != "":
		return []string{"drop " + flagVersion}
	}
	return []string{"try an older version: " + flagVersion + " tlsv1.1"}
}
