package tlsconf

import (
	"crypto/tls"
	"fmt"
	"strings"
)

// Options says how TLS is set up on the client side. The zero value trusts the operating system's store and sends no
// client certificate.
type Options struct {
	CAFile     string // PEM file of certificates to trust
	CAPath     string // directory of such files: *.pem, *.crt, *.cer and OpenSSL's hash names
	UseOSCerts bool   // trust the operating system's store too; without CAFile and CAPath it is used anyway

	CertFile, KeyFile string                            // client certificate and its key, both or neither
	Passphrase        func(file string) ([]byte, error) // asked once if the key is encrypted; may be nil

	ServerName string   // replaces the host in SNI and in verification
	Insecure   bool     // verify nothing
	ALPN       []string // protocols to offer, most wanted first
	Version    string   // "", tlsv1.1, tlsv1.2 or tlsv1.3: exactly that version
	Ciphers    string   // colon-separated OpenSSL or IANA names, for TLS 1.2 and below
	KeyLogFile string   // secrets are appended here in NSS format, for Wireshark
}

// Config reads the files and returns the configuration for one server, known as host. Failures are *Error.
func (o Options) Config(host string) (*tls.Config, error) {
	cfg := &tls.Config{InsecureSkipVerify: o.Insecure, NextProtos: o.ALPN}
	for _, step := range []func(*tls.Config) error{
		func(cfg *tls.Config) error { return o.setName(cfg, host) },
		o.setProtocol, o.setRoots, o.setClientCert, o.setKeyLog,
	} {
		if err := step(cfg); err != nil {
			return nil, err
		}
	}
	return cfg, nil
}

func (o Options) setName(cfg *tls.Config, host string) error {
	cfg.ServerName = o.ServerName
	if cfg.ServerName == "" {
		cfg.ServerName = bareHost(host)
	}
	if cfg.ServerName == "" && !o.Insecure {
		return &Error{Flag: flagServerName, Reason: "no host name to check the server's certificate against",
			Fix: []string{"say which name it must carry: " + flagServerName + " NAME"}}
	}
	return nil
}

// bareHost strips what may surround an IPv6 address in a host argument but never stands in a certificate.
func bareHost(host string) string {
	if strings.HasPrefix(host, "[") && strings.HasSuffix(host, "]") {
		host = host[1 : len(host)-1]
	}
	if strings.Contains(host, ":") {
		host, _, _ = strings.Cut(host, "%")
	}
	return host
}

func (o Options) setProtocol(cfg *tls.Config) error {
	for _, p := range o.ALPN {
		if len(p) == 0 || len(p) > 255 {
			return &Error{Flag: flagALPN, Value: p, Reason: "a protocol name is 1 to 255 bytes long"}
		}
	}
	v, err := ParseVersion(o.Version)
	if err != nil {
		return err
	}
	cfg.MinVersion, cfg.MaxVersion = v, v
	if v == 0 {
		cfg.MinVersion = tls.VersionTLS12
	}
	if o.Ciphers == "" {
		return nil
	}
	if v == tls.VersionTLS13 {
		return &Error{Flag: flagCiphers, Value: o.Ciphers, Reason: "the cipher suites of TLS 1.3 cannot be chosen",
			Fix: []string{fmt.Sprintf("leave out %s, or use %s tlsv1.2", flagCiphers, flagVersion)}}
	}
	cfg.CipherSuites, err = ParseCiphers(o.Ciphers)
	return err
}

// versions are the values of --tls-version, newest first.
var versions = []struct {
	name string
	id   uint16
}{{"tlsv1.3", tls.VersionTLS13}, {"tlsv1.2", tls.VersionTLS12}, {"tlsv1.1", tls.VersionTLS11}}

// ParseVersion reads a value of --tls-version; "" is 0, no preference.
func ParseVersion(s string) (uint16, error) {
	if s == "" {
		return 0, nil
	}
	var names []string
	for _, v := range versions {
		if v.name == s {
			return v.id, nil
		}
		names = append(names, v.name)
	}
	return 0, &Error{Flag: flagVersion, Value: s, Reason: "unknown version",
		Fix: []string{"use one of " + strings.Join(names, ", ")}}
}

func (o Options) setClientCert(cfg *tls.Config) error {
	switch {
	case o.CertFile == "" && o.KeyFile == "":
		return nil
	case o.KeyFile == "":
		return &Error{Flag: flagCert, Value: o.CertFile, Reason: "needs the certificate's private key too",
			Fix: []string{"add " + flagKey + " FILE"}}
	case o.CertFile == "":
		return &Error{Flag: flagKey, Value: o.KeyFile, Reason: "needs the key's certificate too",
			Fix: []string{"add " + flagCert + " FILE"}}
	}
	pair, err := loadPair(o.CertFile, o.KeyFile, o.Passphrase)
	if err != nil {
		return err
	}
	// Config.Certificates would be withheld when the server's list of acceptable CAs does not name the issuer, and
	// the server would then complain of no certificate. Sent always, it is refused for the true reason.
	cfg.GetClientCertificate = func(*tls.CertificateRequestInfo) (*tls.Certificate, error) { return pair, nil }
	return nil
}
