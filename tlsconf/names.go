package tlsconf

import (
	"crypto/x509"
	"fmt"
	"strconv"
	"strings"
)

// certLabel names a certificate by its common name, else its first alternative name, else its serial number, quoted.
func certLabel(c *x509.Certificate) string {
	if c.Subject.CommonName != "" {
		return quote(c.Subject.CommonName)
	}
	if names := sans(c); len(names) > 0 {
		return quote(names[0])
	}
	return "with serial number " + c.SerialNumber.String()
}

// issuerLabel names the certificate's issuer by its common name, else by all of its name, quoted.
func issuerLabel(c *x509.Certificate) string {
	if c.Issuer.CommonName != "" {
		return quote(c.Issuer.CommonName)
	}
	if s := c.Issuer.String(); s != "" {
		return quote(s)
	}
	return "an issuer without a name"
}

// sans returns the hosts that a certificate is valid for.
func sans(c *x509.Certificate) []string {
	names := append([]string(nil), c.DNSNames...)
	for _, ip := range c.IPAddresses {
		names = append(names, ip.String())
	}
	return names
}

// Names from the network are cut, and lists of them counted: a certificate can hold thousands.
const (
	maxName  = 100
	maxNames = 5
)

func quote(s string) string {
	if len(s) > maxName {
		s = s[:maxName] + "..."
	}
	return strconv.Quote(s)
}

func quoteAll(names []string) string {
	var quoted []string
	for i, n := range names {
		if i == maxNames {
			return fmt.Sprintf("%s and %d more", strings.Join(quoted, ", "), len(names)-maxNames)
		}
		quoted = append(quoted, quote(n))
	}
	return strings.Join(quoted, ", ")
}

// clean returns text that was written by somebody else, quoted if it holds anything a terminal would act on.
func clean(s string) string {
	for _, r := range s {
		if !strconv.IsPrint(r) {
			return strconv.Quote(s)
		}
	}
	return s
}
