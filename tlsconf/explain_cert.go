package tlsconf

import (
	"bytes"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"strconv"
	"strings"
	"time"
)

// certificate explains why the server's certificate was not accepted here.
func (e explainer) certificate(err error) (string, []string, bool) {
	var (
		ve      *tls.CertificateVerificationError
		chain   []*x509.Certificate
		unknown x509.UnknownAuthorityError
		name    x509.HostnameError
		invalid x509.CertificateInvalidError
		roots   x509.SystemRootsError
	)
	if errors.As(err, &ve) {
		chain = ve.UnverifiedCertificates
	}
	var reason string
	var hints []string
	switch {
	case errors.As(err, &unknown) && unknown.Cert != nil:
		reason, hints = untrusted(unknown, chain)
	case errors.As(err, &name) && name.Certificate != nil:
		reason, hints = wrongName(name)
	case errors.As(err, &invalid) && invalid.Cert != nil && invalid.Reason == x509.Expired:
		reason, hints = outOfDate(invalid.Cert, chain)
	case errors.As(err, &invalid) && invalid.Cert != nil:
		reason, hints = unusable(role(invalid.Cert, chain), invalid)
	case errors.As(err, &roots):
		reason = "the operating system's trust store cannot be read"
		hints = []string{"install it (Debian: apt install ca-certificates), or pass the server's CA: " + flagCAFile + " FILE"}
	case ve != nil && len(chain) > 0:
		reason = fmt.Sprintf("%s is not acceptable: %s", role(chain[0], chain), clean(strings.TrimPrefix(ve.Err.Error(), "x509: ")))
		hints = []string{hintInsecure}
	default:
		return "", nil, false
	}
	return reason, hints, true
}

// isCA reports whether a certificate is one above the server's own in its chain.
func isCA(c *x509.Certificate, chain []*x509.Certificate) bool {
	return len(chain) > 0 && !c.Equal(chain[0])
}

// role is the certificate's place in the chain and its name.
func role(c *x509.Certificate, chain []*x509.Certificate) string {
	if isCA(c, chain) {
		return "the CA certificate " + certLabel(c)
	}
	return "the server's certificate " + certLabel(c)
}

func untrusted(err x509.UnknownAuthorityError, chain []*x509.Certificate) (string, []string) {
	c := err.Cert
	who := role(c, chain)
	if selfSigned(c) {
		return who + " is self-signed and not trusted here", []string{
			"if it is the one you expect, save it in FILE and pass it: " + flagCAFile + " FILE", hintInsecure}
	}
	issuer := issuerLabel(c)
	trust := fmt.Sprintf("trust its CA: %s FILE, with the certificate of %s in FILE", flagCAFile, issuer)
	if why := rejectedRoot(err); why != "" {
		return fmt.Sprintf("%s is signed by %s, and the certificate trusted here under that name does not fit: %s", who, issuer, why),
			[]string{fmt.Sprintf("get the current certificate of %s and pass it: %s FILE", issuer, flagCAFile), hintInsecure}
	}
	return fmt.Sprintf("%s is signed by %s, which is not trusted here", who, issuer), []string{trust, hintInsecure}
}

// rejectedRoot returns why a trusted certificate with the issuer's name was turned down: another key, after a CA was
// made anew, or out of date. x509 keeps this in unexported fields, so it has to come out of the text.
func rejectedRoot(err x509.UnknownAuthorityError) string {
	_, rest, ok := strings.Cut(err.Error(), "(possibly because of ")
	if !ok {
		return ""
	}
	quoted, qerr := strconv.QuotedPrefix(rest)
	if qerr != nil {
		return ""
	}
	why, _ := strconv.Unquote(quoted)
	return clean(strings.TrimPrefix(why, "x509: "))
}

func selfSigned(c *x509.Certificate) bool {
	return bytes.Equal(c.RawIssuer, c.RawSubject) && c.CheckSignature(c.SignatureAlgorithm, c.RawTBSCertificate, c.Signature) == nil
}

func wrongName(err x509.HostnameError) (string, []string) {
	c, host := err.Certificate, clean(err.Host)
	who := "the server's certificate " + certLabel(c)
	names := sans(c)
	isIP := net.ParseIP(strings.Trim(err.Host, "[]")) != nil
	kind := "DNS:"
	if isIP {
		kind = "IP:"
	}
	reissue := "reissue it with subjectAltName=" + kind + host
	if len(names) == 0 {
		return fmt.Sprintf("%s has no subject alternative names, so it is valid for no host; its common name does not count", who),
			[]string{reissue, hintInsecure}
	}
	reason := fmt.Sprintf("%s is valid for %s, not for %q", who, quoteAll(names), err.Host)
	if isIP && len(c.IPAddresses) == 0 {
		reason = fmt.Sprintf("%s is valid for %s and for no IP address, so not for %q", who, quoteAll(names), err.Host)
	}
	name := suggestion(names)
	return reason, []string{
		"connect by a name that the certificate has: -h " + name,
		"or keep the address and check against that name: " + flagServerName + " " + name,
		hintInsecure,
	}
}

// suggestion returns the first name that is safe to paste into a shell, or a placeholder: the names come from the
// server, and a wildcard is no host.
func suggestion(names []string) string {
	for _, n := range names {
		if n != "" && n[0] != '-' && strings.Trim(strings.ToLower(n), "abcdefghijklmnopqrstuvwxyz0123456789.-:") == "" {
			return n
		}
	}
	return "NAME"
}

func outOfDate(c *x509.Certificate, chain []*x509.Certificate) (string, []string) {
	who := role(c, chain)
	const layout = "2006-01-02 15:04:05 UTC"
	clock := "check this machine's clock: date -u"
	if time.Now().Before(c.NotBefore) {
		return fmt.Sprintf("%s is not valid before %s", who, c.NotBefore.UTC().Format(layout)), []string{clock, hintInsecure}
	}
	renew := "renew it on the server"
	if isCA(c, chain) {
		renew = "get its current certificate and pass it: " + flagCAFile + " FILE"
	}
	return fmt.Sprintf("%s expired on %s", who, c.NotAfter.UTC().Format(layout)),
		[]string{renew, "if it should be valid, " + clock, hintInsecure}
}

func unusable(who string, err x509.CertificateInvalidError) (string, []string) {
	if err.Reason == x509.IncompatibleUsage {
		return who + " is not meant for servers: its extended key usage lacks serverAuth",
			[]string{"reissue it with extendedKeyUsage=serverAuth", hintInsecure}
	}
	return who + " is not acceptable: " + clean(strings.TrimPrefix(err.Error(), "x509: ")), []string{hintInsecure}
}
